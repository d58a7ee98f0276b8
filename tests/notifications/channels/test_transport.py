"""What a failed request means: certainly not sent, or perhaps sent."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from urllib3.exceptions import HTTPError

from notifications.channels.base import Ambiguous, Retry
from notifications.channels.transport import Wire, lost, pooled_session, retry_after
from tests.notifications.channels.certificates import self_signed
from tests.notifications.channels.local_provider import LocalProvider, Reply

UNREACHABLE = Retry(code="unreachable", down=True)


def by_wire(url: str) -> Retry | Ambiguous:
    with pytest.raises(HTTPError) as caught:
        Wire(timeout=0.3).post_json(url, {})
    return lost(caught.value)


def by_session(url: str) -> Retry | Ambiguous:
    with pytest.raises(requests.RequestException) as caught:
        pooled_session().post(url, json={}, timeout=0.3)
    return lost(caught.value)


BOTH = pytest.mark.parametrize("fail", [by_wire, by_session])


@BOTH
def test_where_nobody_listens_nothing_was_sent(fail: object) -> None:
    assert callable(fail)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert fail(f"http://127.0.0.1:{port}/") == UNREACHABLE
    assert fail("http://no-such-host.invalid/") == UNREACHABLE


@BOTH
def test_an_answer_that_is_cut_off_or_late_may_have_been_a_yes(fail: object, provider: LocalProvider) -> None:
    assert callable(fail)
    provider.will(Reply(cut=True))
    assert isinstance(fail(provider.url), Ambiguous)
    provider.will(Reply(stalled=5))
    assert isinstance(fail(provider.url), Ambiguous)


@BOTH
def test_connecting_and_waiting_share_one_timeout(fail: object, provider: LocalProvider) -> None:
    assert callable(fail)
    provider.will(Reply(stalled=5))
    started = time.monotonic()
    fail(provider.url)
    assert time.monotonic() - started < 0.6


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """A server with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@BOTH
def test_to_a_stranger_nothing_is_sent(fail: object, stranger: str) -> None:
    assert callable(fail)
    assert fail(stranger) == UNREACHABLE


@BOTH
def test_another_failure_of_tls_may_come_after_the_request(fail: object, provider: LocalProvider) -> None:
    assert callable(fail)
    assert isinstance(fail(provider.url.replace("http:", "https:")), Ambiguous)


def test_a_redirect_is_an_answer_and_not_followed(provider: LocalProvider) -> None:
    provider.will(Reply(302, b"", {"Location": "http://127.0.0.1:9/"}))
    assert Wire().get(provider.url, {"a": 1}).status == 302
    assert len(provider.heard) == 1


def test_connections_stay_open(provider: LocalProvider) -> None:
    provider.will(Reply())
    wire = Wire()
    for _ in range(3):
        assert wire.post_json(provider.url, {"text": "Bà Rịa"}).json() == {}
    assert provider.connections == 1


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)]
)
def test_retry_after_is_read_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds
