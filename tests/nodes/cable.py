"""A cable that can be cut: a small TCP proxy between a node and the centre."""

import contextlib
import selectors
import socket
import threading


class Cable:
    """Passes bytes on to a port of this machine until it is cut; what hangs in it is lost then.

    `lose_answers`: requests still arrive, their answers never do.
    """

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._cut = threading.Event()
        self._live: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.lose_answers = False
        self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        self._cut.set()
        with self._lock:
            for each in self._live:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut.clear()

    def close(self) -> None:
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            if self._cut.is_set():
                caller.close()
                continue
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(("127.0.0.1", self._to)) as centre:
            with self._lock:
                self._live |= {caller, centre}
            try:
                self._pump(caller, centre)
            except OSError:
                pass
            finally:
                with self._lock:
                    self._live -= {caller, centre}

    def _pump(self, caller: socket.socket, centre: socket.socket) -> None:
        with selectors.DefaultSelector() as ends:
            ends.register(caller, selectors.EVENT_READ, centre)
            ends.register(centre, selectors.EVENT_READ, caller)
            while True:
                for key, _ in ends.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is centre and self.lose_answers:
                        return
                    self.passed += len(data)
                    key.data.sendall(data)
