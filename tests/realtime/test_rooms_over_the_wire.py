"""Rooms through real sockets, with the two people on two different processes."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telehealth.core.join_ticket import ParticipantRole
from tests.realtime.harness import Guest, Rooms, Server, Somebody, open_socket, refusal, refusal_on

pytestmark = pytest.mark.xdist_group("realtime")


def test_two_people_on_two_processes_meet(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family, Guest(two, rooms.ticket(room, doctor)) as care:
        joined = family.hear("joined")
        assert joined["peer"] == {
            "client": care.client,
            "participant": str(doctor.id),
            "role": "practitioner",
            "name": doctor.name,
            "polite": True,
        }
        assert [(p["name"], p["polite"]) for p in care.welcome["peers"]] == [(patient.name, False)]

        n = care.offer(family, "v=0 offer")
        assert care.hear("ack")["n"] == n
        offer = family.hear("offer")
        assert (offer["from"], offer["call"], offer["sdp"]) == (care.client, 1, "v=0 offer")

        family.say("answer", to=care.client, call=1, sdp="v=0 answer")
        assert care.hear("answer")["sdp"] == "v=0 answer"
        family.say("candidate", to=care.client, call=1, candidate="candidate:1", mid="0", line=0)
        assert care.hear("candidate")["candidate"] == "candidate:1"
        care.say("state", audio=True, video=False)
        assert family.hear("state")["video"] is False

        care.leave()
        assert family.hear("left") == {
            "type": "left",
            "seq": family.seen,
            "client": care.client,
            "reason": "left",
        }
    assert rooms.presences(room)[1] == ("practitioner", "left")


def test_a_cut_line_resumes_on_the_other_process_and_misses_nothing(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(two, rooms.ticket(room, doctor)) as care:
        family = Guest(one, rooms.ticket(room, patient))
        care.hear("joined")
        care.offer(family, "heard")
        assert family.hear("offer")["sdp"] == "heard"
        family.vanish()
        care.offer(family, "missed one")
        care.offer(family, "missed two")
        care.hear("ack")
        with Guest(two, family.ticket, resume=(family.client, family.seen)) as back:
            assert back.welcome["resumed"]
            assert back.client == family.client
            assert [back.hear("offer")["sdp"] for _ in range(2)] == ["missed one", "missed two"]
            care.offer(back, "live again")
            assert back.hear("offer")["sdp"] == "live again"
    assert [departure for role, departure in rooms.presences(room) if role == "patient"] == [None]


def test_a_message_sent_twice_is_relayed_once(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family, Guest(two, rooms.ticket(room, doctor)) as care:
        for sdp in ("first", "first again"):
            care.say_raw({"type": "offer", "n": 1, "to": family.client, "call": 1, "sdp": sdp})
            assert care.hear("ack")["n"] == 1
        care.sent = 1
        care.offer(family, "second")
        assert [family.hear("offer")["sdp"] for _ in range(2)] == ["first", "second"]


def test_a_resumed_page_learns_what_the_server_had_heard(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family:
        care = Guest(two, rooms.ticket(room, doctor))
        care.offer(family)
        care.hear("ack")
        care.vanish()
        with Guest(one, care.ticket, resume=(care.client, care.seen)) as back:
            assert back.welcome["heard"] == 1


def test_who_opens_a_second_page_replaces_the_first_and_disturbs_nobody_else(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with (
        Guest(two, rooms.ticket(room, doctor)) as care,
        Guest(one, rooms.ticket(room, patient)) as first,
        Guest(two, rooms.ticket(room, patient)) as second,
    ):
        first.hear("replaced")
        assert first.close_code() == 4003
        left = care.hear("left")
        assert (left["client"], left["reason"]) == (first.client, "replaced")
        care.offer(second, "to the new page")
        assert second.hear("offer")["sdp"] == "to the new page"
        again = refusal(one, first.ticket, resume={"client": first.client, "seen": 0})
        assert (again.error["code"], again.code) == ("replaced", 4003)


def test_the_end_of_a_room_reaches_both_sides_and_nobody_enters_again(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family, Guest(two, rooms.ticket(room, doctor)) as care:
        rooms.end(room)
        for guest in (family, care):
            assert guest.hear("ended")["reason"] == "ended"
            assert guest.close_code() == 4004
    refused = refusal(one, rooms.ticket(room, patient))
    assert (refused.error["code"], refused.error["fault"], refused.code) == ("room-ended", "room", 4004)


def test_a_room_closes_when_its_time_is_over(one: Server, rooms: Rooms, patient: Somebody) -> None:
    room = rooms.open(closes=timedelta(seconds=1.5))
    with Guest(one, rooms.ticket(room, patient)) as family:
        assert family.hear("closing")
        assert family.hear("ended")["reason"] == "time"


def test_a_room_is_not_open_before_its_time(one: Server, rooms: Rooms, patient: Somebody) -> None:
    room = rooms.open(opens=timedelta(minutes=5))
    assert refusal(one, rooms.ticket(room, patient)).error["code"] == "room-not-open"


def test_the_seat_of_a_side_is_taken_once(one: Server, two: Server, rooms: Rooms, patient: Somebody) -> None:
    room = rooms.open()
    stranger = Somebody(ParticipantRole.GUARDIAN, "Nguyễn Văn Bình")
    with Guest(one, rooms.ticket(room, patient)):
        refused = refusal(two, rooms.ticket(room, stranger))
    assert (refused.error["code"], refused.error["fault"], refused.code) == ("room-full", "room", 4010)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret_key": "another-secret-that-is-also-long-enough"}, "ticket-forged"),
        ({"now": datetime.now(UTC) - timedelta(hours=1)}, "ticket-expired"),
    ],
)
def test_a_bad_ticket_opens_nothing(
    one: Server, rooms: Rooms, patient: Somebody, change: dict[str, object], code: str
) -> None:
    refused = refusal(one, rooms.ticket(rooms.open(), patient, **change))  # type: ignore[arg-type]
    assert (refused.error["code"], refused.error["fault"], refused.code) == (code, "client", 4001)


def test_no_ticket_opens_nothing(one: Server) -> None:
    assert refusal(one, "please").error["code"] == "ticket-malformed"


def test_a_ticket_for_a_room_that_is_not_there_opens_nothing(
    one: Server, rooms: Rooms, patient: Somebody
) -> None:
    assert refusal(one, rooms.ticket(uuid4(), patient)).error["code"] == "room-ended"


def test_another_persons_client_cannot_be_resumed(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with (
        Guest(one, rooms.ticket(room, doctor)) as care,
        Guest(two, rooms.ticket(room, patient), resume=(care.client, 0)) as family,
    ):
        assert not family.welcome["resumed"]
        assert family.client != care.client
        care.hear("joined")
        family.offer(care, "still there")
        assert care.hear("offer")["sdp"] == "still there"


@pytest.mark.parametrize("origin", ["https://evil.example", None, "null"])
def test_a_foreign_page_cannot_open_a_socket(one: Server, two: Server, origin: str | None) -> None:
    for server in (one, two):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(server, origin).__enter__()
        assert refused.value.response.status_code == 403


def test_a_version_we_do_not_speak_is_told_which_we_do(one: Server, rooms: Rooms, patient: Somebody) -> None:
    refused = refusal(one, rooms.ticket(rooms.open(), patient), versions=[7])
    assert (refused.error["code"], refused.error["supported"]) == ("version-unsupported", [1])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 70_000, "too-large"),
        ('{"type":' + "[" * 40 + "]" * 40 + "}", "too-deep"),
        ("[" * 30_000, "too-deep"),
        ("{", "not-json"),
        ("[]", "not-an-object"),
        ('{"type":"dance"}', "unknown-type"),
        ('{"type":"ping","t":1}', "hello-expected"),
    ],
)
def test_a_bad_first_message_is_named_and_the_socket_closed(
    one: Server, two: Server, text: str, code: str
) -> None:
    for server in (one, two):
        with open_socket(server) as line:
            line.send(text)
            refused = refusal_on(line)
        assert (refused.error["code"], refused.error["fault"], refused.code) == (code, "client", 4000)


def test_a_bad_message_in_a_room_leaves_the_room_alone(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family, Guest(two, rooms.ticket(room, doctor)) as care:
        care.say("offer", to=family.client, call="one", sdp="v=0")
        assert care.hear("error") == {
            "type": "error",
            "code": "bad-field:call",
            "fault": "client",
            "fatal": False,
        }
        n = care.say("offer", to=str(uuid4()), call=1, sdp="v=0")
        assert care.hear("error")["n"] == n
        care.offer(family, "good")
        assert family.hear("offer")["sdp"] == "good"


def test_who_talks_too_fast_is_cut_off_and_nobody_else(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(two, rooms.ticket(room, doctor)) as care, Guest(one, rooms.ticket(room, patient)) as family:
        with suppress(ConnectionClosed):  # it may be cut off while it still talks
            for _ in range(300):
                family.say_raw({"type": "ping", "t": 1})
        assert family.close_code() == 4009
        care.say_raw({"type": "ping", "t": 2})
        assert care.hear("pong")["t"] == 2


def test_rows_hold_no_name_and_no_address(
    one: Server, two: Server, rooms: Rooms, doctor: Somebody, patient: Somebody
) -> None:
    room = rooms.open()
    with Guest(one, rooms.ticket(room, patient)) as family, Guest(two, rooms.ticket(room, doctor)) as care:
        care.offer(family, "c=IN IP4 192.168.1.20")
        family.hear("offer")
        rows = rooms.database.execute("SELECT body FROM room_message WHERE room_id = %s", (room,)).fetchall()
    text = b"".join(row[0] for row in rows)
    assert len(rows) == 3
    assert b"192.168" not in text
    assert patient.name.encode() not in text


def test_a_ping_comes_back(one: Server, rooms: Rooms, patient: Somebody) -> None:
    with Guest(one, rooms.ticket(rooms.open(), patient)) as family:
        family.say_raw({"type": "ping", "t": 42})
        assert json.dumps(family.hear("pong")) == '{"type": "pong", "t": 42}'
