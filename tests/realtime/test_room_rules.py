"""The state machine of a room, without sockets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telehealth.core import join_ticket
from telehealth.core.join_ticket import JoinTicket, ParticipantRole
from telehealth.realtime import rooms
from telehealth.realtime.rooms import SEAT_OF, Departure, Presence, Room, RoomRefused

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROOM = Room(uuid4(), NOW - timedelta(minutes=15), NOW + timedelta(hours=1), None)


def a_ticket(role: ParticipantRole = ParticipantRole.PATIENT, room: UUID = ROOM.id) -> JoinTicket:
    return join_ticket.issue(
        jti=uuid4(), room_id=room, participant_id=uuid4(), role=role, display_name="Lan", now=NOW
    )


def refused(room: Room, ticket: JoinTicket, now: datetime = NOW) -> str:
    with pytest.raises(RoomRefused) as refusal:
        rooms.admit(room, ticket, uuid4(), now)
    return refusal.value.code


def test_a_patient_and_a_doctor_have_a_seat_each() -> None:
    room = rooms.admit(ROOM, a_ticket(), uuid4(), NOW).room
    room = rooms.admit(room, a_ticket(ParticipantRole.PRACTITIONER), uuid4(), NOW).room
    assert {p.role for p in room.present} == {ParticipantRole.PATIENT, ParticipantRole.PRACTITIONER}


def test_a_guardian_and_a_patient_share_one_seat() -> None:
    room = rooms.admit(ROOM, a_ticket(ParticipantRole.GUARDIAN), uuid4(), NOW).room
    assert refused(room, a_ticket(ParticipantRole.PATIENT)) == "room-full"


def test_the_same_person_takes_over_their_own_seat() -> None:
    ticket, first = a_ticket(), uuid4()
    room = rooms.admit(ROOM, ticket, first, NOW).room
    admission = rooms.admit(room, ticket, uuid4(), NOW)
    assert admission.replaces == first
    assert len(admission.room.present) == 1


def test_the_window_is_closed_on_both_sides() -> None:
    assert refused(ROOM, a_ticket(), ROOM.opens_at - timedelta(seconds=1)) == "room-not-open"
    assert refused(ROOM, a_ticket(), ROOM.closes_at) == "room-ended"
    assert refused(rooms.end(ROOM, NOW), a_ticket()) == "room-ended"


def test_a_ticket_opens_its_own_room_only() -> None:
    assert refused(ROOM, a_ticket(room=uuid4())) == "wrong-room"


@pytest.mark.parametrize(
    ("departure", "may"), [(None, True), (Departure.VANISHED, True), (Departure.LEFT, False)]
)
def test_who_vanished_may_resume_and_who_left_joins_anew(departure: Departure | None, may: bool) -> None:
    ticket = a_ticket()
    last = Presence(uuid4(), ticket.participant_id, ticket.role, ticket.jti, departure)
    assert rooms.may_resume(last, ticket) is may
    assert not rooms.may_resume(last, replace(ticket, jti=uuid4()))
    assert not rooms.may_resume(last, replace(ticket, participant_id=uuid4()))


def test_of_two_exactly_one_is_polite() -> None:
    for mine in ParticipantRole:
        for theirs in ParticipantRole:
            one = Presence(uuid4(), uuid4(), mine, uuid4())
            other = Presence(uuid4(), uuid4(), theirs, uuid4())
            assert rooms.is_polite(one, other) is not rooms.is_polite(other, one)


class ARoom(RuleBasedStateMachine):
    """People come, come again, go, and the room ends, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.room = ROOM
        self.people = [a_ticket(role) for role in ParticipantRole for _ in range(2)]

    @rule(who=st.integers(0, 5), late=st.booleans())
    def join(self, who: int, late: bool) -> None:
        before, client = self.room, uuid4()
        try:
            admission = rooms.admit(before, self.people[who], client, ROOM.closes_at if late else NOW)
        except RoomRefused:
            return
        self.room = admission.room
        assert self.room.of_client(client) == admission.presence
        strangers = [p for p in before.present if p.client_id != admission.replaces]
        assert all(self.room.of_client(p.client_id) for p in strangers), "nobody else is moved"

    @rule(who=st.integers(0, 5))
    def leave(self, who: int) -> None:
        presence = self.room.of_participant(self.people[who].participant_id)
        if presence is not None:
            self.room = rooms.leave(self.room, presence.client_id)

    @rule()
    def end(self) -> None:
        self.room = rooms.end(self.room, NOW)
        assert refused(self.room, self.people[0]) == "room-ended"
        self.room = replace(self.room, ended_at=None)

    @invariant()
    def seats_and_people_are_taken_once(self) -> None:
        seats = [SEAT_OF[p.role] for p in self.room.present]
        assert len(seats) == len(set(seats))
        assert len({p.participant_id for p in self.room.present}) == len(self.room.present)


ARoom.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestARoom = ARoom.TestCase
