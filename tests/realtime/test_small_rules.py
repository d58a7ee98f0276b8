"""Origins, credentials and rates."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from uuid import uuid4

from telehealth.realtime.ice import ice_servers
from telehealth.realtime.limits import TokenBucket
from telehealth.realtime.origins import allowed_origins

UNTIL = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def test_only_the_products_own_origin_is_allowed() -> None:
    assert allowed_origins("https://kham.example.vn/") == {"https://kham.example.vn"}


def test_the_names_of_this_machine_count_as_one_origin() -> None:
    assert "http://localhost:8000" in allowed_origins("http://127.0.0.1:8000")
    assert "http://127.0.0.1" not in allowed_origins("http://127.0.0.1:8000")


def test_no_turn_server_means_no_ice_server() -> None:
    assert ice_servers((), "", client=uuid4(), until=UNTIL) == []


def test_turn_credentials_die_ten_minutes_after_the_room() -> None:
    client = uuid4()
    (server,) = ice_servers(("turn:turn.example.vn:3478",), "s", client=client, until=UNTIL)
    assert server["username"] == f"{int(UNTIL.timestamp()) + 600}:{client}"
    mac = hmac.digest(b"s", server["username"].encode(), hashlib.sha1)
    assert base64.b64decode(server["credential"]) == mac


def test_a_burst_is_taken_and_then_the_steady_rate() -> None:
    bucket = TokenBucket.full(per_second=10, burst=3, at=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(0.1)
    assert not bucket.take(0.1)
