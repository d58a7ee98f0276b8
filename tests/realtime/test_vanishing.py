"""Who stops answering is let go, and may come back."""

import time

import pytest

from tests.realtime.harness import Guest, Rooms, Server, Somebody

pytestmark = pytest.mark.xdist_group("realtime")


def test_a_vanished_person_is_gone_within_ten_seconds(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    one.wait_until(steady=True)
    two.wait_until(steady=True)
    room = rooms.open()
    with Guest(two, rooms.ticket(room, doctor)) as care:
        family = Guest(one, rooms.ticket(room, patient))
        care.hear("joined")
        family.vanish()
        began = time.monotonic()
        while not any(m["type"] == "left" for m in care.waiting):
            care.say_raw({"type": "ping", "t": 0})
            care.hear("pong")
            assert time.monotonic() - began < 10
            time.sleep(0.2)
        assert care.hear("left")["reason"] == "vanished"
        with Guest(one, family.ticket, resume=(family.client, family.seen)) as back:
            assert back.client == family.client
            assert care.hear("joined")["peer"]["client"] == family.client
    assert [departure for role, departure in rooms.presences(room) if role == "patient"] == ["vanished", None]
