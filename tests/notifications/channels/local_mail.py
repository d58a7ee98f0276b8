"""A mail server on this machine that says what it is told to, step by step."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

CUT = "cut"


@dataclass
class LocalMail:
    """`says` holds other answers than the usual ones, by SMTP's verbs, "greeting" and "text"; CUT ends the
    conversation there. `heard` are the lines of all conversations."""

    port: int = 0
    says: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    certificate: Path | None = None
    wrapped: bool = False
    heard: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)

    def tls(self, connection: socket.socket) -> socket.socket:
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context.wrap_socket(connection, server_side=True)


class _Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.mail = cast("_Server", self.server).mail
        try:
            self._converse()
        except OSError:
            return
        finally:
            self.request.close()

    def _converse(self) -> None:
        if self.mail.wrapped:
            self.request = self.mail.tls(self.request)
        self.lines = self.request.makefile("rb")
        going = self._say("greeting", "220 mail.example ESMTP")
        while going:
            line = self.lines.readline().decode().rstrip("\r\n")
            if not line:
                return
            self.mail.heard.append(line)
            going = self._answer(line.split(" ")[0].split(":")[0].upper())

    def _answer(self, verb: str) -> bool:
        match verb:
            case "EHLO":
                offered = ("mail.example", *self.mail.extensions)
                listed = [f"250-{line}" for line in offered[:-1]] + [f"250 {offered[-1]}"]
                return self._say("EHLO", "\r\n".join(listed))
            case "STARTTLS":
                going = self._say("STARTTLS", "220 go")
                if going and "STARTTLS" not in self.mail.says:
                    self.request = self.mail.tls(self.request)
                    self.lines = self.request.makefile("rb")
                return going
            case "AUTH":
                return self._say("AUTH", "235 welcome")
            case "DATA":
                return self._say("DATA", "354 go") and ("DATA" in self.mail.says or self._text())
            case "QUIT":
                self._say("QUIT", "221 bye")
                return False
        return self._say(verb, "250 2.0.0 fine")

    def _text(self) -> bool:
        lines: list[bytes] = []
        while (line := self.lines.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b"..") else line)
        self.mail.letters.append(message_from_bytes(b"".join(lines), policy=cast("Any", default)))
        return self._say("text", "250 2.0.0 queued as 1A2B")

    def _say(self, place: str, usual: str) -> bool:
        words = self.mail.says.get(place, usual)
        if words == CUT:
            return False
        self.request.sendall((words + "\r\n").encode())
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mail: LocalMail


@contextmanager
def local_mail(**changed: Any) -> Iterator[LocalMail]:
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.mail = LocalMail(port=server.server_address[1], **changed)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.mail
        finally:
            server.shutdown()
            thread.join()
