"""Closed-loop HTTP clients in a process of their own, as light as Python goes: raw sockets, one selector."""

import multiprocessing
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Answers:
    """What came back: how often each status, how long each took (ms), and over what time."""

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    sent: int = 0
    cpu_seconds: float = 0.0
    bodies: list[bytes] = field(default_factory=list)


def run(
    address: str,
    requests: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    keep_bodies: bool = False,
    per_second: float = 0,
) -> Answers:
    """Send requests in order over kept connections, one at a time each, until time or requests are over.

    `per_second`: no more of them than that, by the clock; 0: as fast as the answers come.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_in_process, args=(sender, address, list(requests), clients, seconds, keep_bodies, per_second)
    )
    process.start()
    sender.close()
    try:
        answers: Answers = receiver.recv()
    finally:
        process.join()
    return answers


def race(address: str, requests: Sequence[bytes]) -> Answers:
    """Send every request at once, each on a connection of its own that is open already."""
    return _Loop(address, requests, len(requests), 30.0, keep_bodies=True).play()


def _in_process(
    sender: object,
    address: str,
    requests: list[bytes],
    clients: int,
    seconds: float,
    keep_bodies: bool,
    per_second: float,
) -> None:
    loop = _Loop(address, requests, clients, seconds, keep_bodies=keep_bodies, per_second=per_second)
    answers = loop.play()
    sender.send(answers)  # type: ignore[attr-defined]


class _Client:
    __slots__ = ("began", "received", "socket", "wanted")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.wanted = 0
        self.began = 0.0


class _Loop:
    def __init__(
        self,
        address: str,
        requests: Sequence[bytes],
        clients: int,
        seconds: float,
        *,
        keep_bodies: bool,
        per_second: float = 0,
    ) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._requests = iter(requests)
        self._clients = clients
        self._seconds = seconds
        self._keep = keep_bodies
        self._per_second = per_second
        self._opened = 0.0
        self._answers = Answers()
        self._selector = selectors.DefaultSelector()

    def play(self) -> Answers:
        clients = [_Client(self._host, self._port) for _ in range(self._clients)]
        for client in clients:
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        began, cpu = time.perf_counter(), time.process_time()
        self._opened = began
        until = began + self._seconds
        busy = sum(self._send(client) for client in clients)
        while busy:
            for key, _events in self._selector.select(timeout=30):
                if not self._receive(key.data):
                    continue
                if time.perf_counter() >= until or not self._send(key.data):
                    self._selector.unregister(key.data.socket)
                    busy -= 1
        self._answers.seconds = time.perf_counter() - began
        self._answers.cpu_seconds = time.process_time() - cpu
        for client in clients:
            client.socket.close()
        return self._answers

    def _send(self, client: _Client) -> bool:
        request = next(self._requests, None)
        if request is None:
            return False
        if self._per_second:
            due = self._opened + self._answers.sent / self._per_second
            time.sleep(max(0.0, due - time.perf_counter()))
        client.received, client.wanted = b"", 0
        client.began = time.perf_counter()
        client.socket.sendall(request)
        self._answers.sent += 1
        return True

    def _receive(self, client: _Client) -> bool:
        """Read; tell whether the answer is whole."""
        piece = client.socket.recv(65536)
        if not piece:
            msg = "the server closed the connection"
            raise ConnectionError(msg)
        client.received += piece
        if not client.wanted:
            end = client.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = client.received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            client.wanted = end + 4 + length
        if len(client.received) < client.wanted:
            return False
        self._answers.milliseconds.append((time.perf_counter() - client.began) * 1000)
        self._answers.statuses[int(client.received[9:12])] += 1
        if self._keep:
            self._answers.bodies.append(client.received.split(b"\r\n\r\n", 1)[1])
        return True
