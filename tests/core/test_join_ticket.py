"""The ticket that opens a room."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.core import join_ticket
from telehealth.core.join_ticket import (
    JoinTicket,
    ParticipantRole,
    TicketExpired,
    TicketForged,
    TicketMalformed,
    TicketRefused,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEY = join_ticket.signing_key("the secret of this product")


def a_ticket(name: str = "BS. Lê Minh Tâm") -> JoinTicket:
    return join_ticket.issue(
        jti=uuid4(),
        room_id=uuid4(),
        participant_id=uuid4(),
        role=ParticipantRole.PRACTITIONER,
        display_name=name,
        now=NOW,
    )


def test_a_ticket_comes_back_as_it_was() -> None:
    ticket = a_ticket()
    assert join_ticket.verify(join_ticket.encode(ticket, KEY), KEY, NOW) == ticket


def test_a_ticket_dies_after_its_life() -> None:
    text = join_ticket.encode(a_ticket(), KEY)
    join_ticket.verify(text, KEY, NOW + join_ticket.LIFETIME - timedelta(seconds=1))
    with pytest.raises(TicketExpired):
        join_ticket.verify(text, KEY, NOW + join_ticket.LIFETIME)


def test_a_ticket_from_the_future_is_refused_and_a_small_skew_forgiven() -> None:
    text = join_ticket.encode(a_ticket(), KEY)
    join_ticket.verify(text, KEY, NOW - join_ticket.CLOCK_SKEW)
    with pytest.raises(TicketExpired):
        join_ticket.verify(text, KEY, NOW - join_ticket.CLOCK_SKEW - timedelta(seconds=1))


def test_another_secret_signs_nothing_here() -> None:
    text = join_ticket.encode(a_ticket(), join_ticket.signing_key("another secret"))
    with pytest.raises(TicketForged):
        join_ticket.decode(text, KEY)


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_no_changed_character_goes_unnoticed(position: int, character: str) -> None:
    text = join_ticket.encode(a_ticket(), KEY)
    at = position % len(text)
    changed = text[:at] + character + text[at + 1 :]
    if changed == text:
        return
    try:
        assert join_ticket.decode(changed, KEY) == join_ticket.decode(text, KEY)  # the padding bits of base64
    except TicketRefused:
        return
    assert at == len(text) - 1


@given(st.text())
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(TicketRefused):
        join_ticket.decode(text, KEY)


@pytest.mark.parametrize("text", ["", "v1", "v1..", "v2.e30.AAAA", "v1." + "A" * 5000 + ".AAAA"])
def test_what_is_no_ticket_is_malformed(text: str) -> None:
    with pytest.raises(TicketMalformed):
        join_ticket.decode(text, KEY)


def test_a_long_name_still_makes_a_ticket_that_can_be_read() -> None:
    text = join_ticket.encode(a_ticket("Nguyễn " * 100), KEY)
    assert len(join_ticket.decode(text, KEY).display_name) <= join_ticket.MAX_NAME
