"""One e-mail, one connection: the steps of SMTP, and how far each may have brought the message."""

import smtplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from ipaddress import ip_address


class Step(StrEnum):
    """How far a conversation came. What ends in `TEXT` may have been taken over; before it nothing was."""

    CONNECT = "connect"
    SECURE = "secure"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    TEXT = "text"


class Broken(Exception):
    """The conversation ended without an answer. `refused`: by our side, which does not trust the server."""

    def __init__(self, step: Step, cause: str, *, refused: bool = False) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause
        self.refused = refused


class Refused(Exception):
    """The server's answer 4xx or 5xx, `text` with its enhanced code in front if it has one."""

    def __init__(self, step: Step, code: int, text: str) -> None:
        super().__init__(f"{step}: {code}")
        self.step = step
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Relay:
    """A mail server. `wrapped`: TLS from the first byte (smtps) instead of STARTTLS."""

    host: str
    port: int
    wrapped: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def on_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def deliver(relay: Relay, letter: EmailMessage, sender: str, recipient: str, *, timeout: float) -> None:
    """Hand one letter over within `timeout` seconds. Raises Broken and Refused."""
    conversation = _Conversation(relay, timeout)
    try:
        conversation.run(letter, sender, recipient)
    except smtplib.SMTPResponseException as error:
        raise _refusal(conversation.step, error.smtp_code, error.smtp_error) from error
    except (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError) as error:
        raise Broken(conversation.step, type(error).__name__, refused=True) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Broken(conversation.step, type(error).__name__) from error
    finally:
        conversation.close()


class _Conversation:
    def __init__(self, relay: Relay, timeout: float) -> None:
        self._relay = relay
        self._deadline = time.monotonic() + timeout
        self._smtp: smtplib.SMTP | None = None
        self.step = Step.CONNECT

    def run(self, letter: EmailMessage, sender: str, recipient: str) -> None:
        smtp = self._connected(as_whom=sender.rpartition("@")[2])
        self._secure(smtp)
        if self._relay.user:
            self._enter(Step.LOGIN, smtp)
            smtp.login(self._relay.user, self._relay.password)
        self._enter(Step.SENDER, smtp)
        self._answered(smtp.mail(sender))
        self._enter(Step.RECIPIENT, smtp)
        self._answered(smtp.rcpt(recipient))
        self._enter(Step.TEXT, smtp)
        self._answered(smtp.data(letter.as_bytes(policy=SMTP)))
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()

    def close(self) -> None:
        if self._smtp is not None:
            self._smtp.close()

    def _connected(self, as_whom: str) -> smtplib.SMTP:
        """Greets with the sender's domain: our own name would have to be asked of a name server each time."""
        relay, left = self._relay, self._left()
        if relay.wrapped:
            self._smtp = smtplib.SMTP_SSL(relay.host, relay.port, as_whom, timeout=left, context=self._tls())
        else:
            self._smtp = smtplib.SMTP(relay.host, relay.port, as_whom, timeout=left)
        self._smtp.ehlo_or_helo_if_needed()
        return self._smtp

    def _secure(self, smtp: smtplib.SMTP) -> None:
        """STARTTLS where it is offered. A password goes off this machine in TLS or not at all."""
        if self._relay.wrapped:
            return
        self._enter(Step.SECURE, smtp)
        if smtp.has_extn("starttls"):
            smtp.starttls(context=self._tls())
            smtp.ehlo_or_helo_if_needed()
        elif self._relay.user and not self._relay.on_loopback:
            raise Broken(Step.SECURE, "no STARTTLS", refused=True)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._relay.on_loopback:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _enter(self, step: Step, smtp: smtplib.SMTP) -> None:
        """The whole conversation has one timeout, of which each step gets what is left."""
        self.step = step
        if isinstance(smtp.sock, socket.socket):
            smtp.sock.settimeout(self._left())

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _answered(self, reply: tuple[int, bytes]) -> None:
        code, text = reply
        if not 200 <= code < 300:
            raise _refusal(self.step, code, text)


def _refusal(step: Step, code: int, text: bytes | str) -> Refused | Broken:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if not 400 <= code < 600:
        return Broken(step, f"answer {code}")
    return Refused(step, code, words)
