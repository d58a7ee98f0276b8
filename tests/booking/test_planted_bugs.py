"""Controls of the ledger's machine: against each of these bugs, planted in the database, it must fail."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.booking.test_ledger_machine import Ledger, machine, play

__all__ = ["machine"]

# What is planted: the function, what it says, and what it says instead.
BUGS = {
    "a hold that ran out keeps its lane": (
        "expire_holds",
        "FROM expired e WHERE k.appointment_id = e.id",
        "FROM expired e WHERE false AND k.appointment_id = e.id",
    ),
    "a hold that ran out stays counted": (
        "take_place",
        "array_agg(e.session_id), array_agg(e.door), array_agg(false)",
        "NULL::uuid[], NULL::text[], CASE WHEN count(e) = 0 THEN NULL::boolean[] END",
    ),
    "what is kept for a door is given to all": (
        "count_places",
        "AND q.door <> p_door AND q.falls_at",
        "AND false AND q.falls_at",
    ),
    "what is kept for a door never falls": ("count_places", "AND q.falls_at > app_clock()", ""),
    "a door's place is not given back": (
        "count_places",
        "SET booked = q.booked + d.total",
        "SET booked = q.booked + greatest(d.total, 0)",
    ),
    "a place is given back to another door": ("give_back", "ARRAY[a.door]", "ARRAY['counter']"),
    "the online quota is not asked": (
        "count_places",
        "AND (d.online <= 0 OR c.online_booked + d.online <= c.online_quota)",
        "",
    ),
    "the buffer before a visit is not claimed": (
        "take_place",
        "tstzrange(p_start - s.lead_minutes * interval '1 minute',",
        "tstzrange(p_start,",
    ),
    "the patient's own time is not claimed": (
        "take_place",
        "WHERE p_patient IS NOT NULL",
        "WHERE p_patient IS NULL",
    ),
    "rooms are not claimed": ("take_place", "WHERE x.id = ANY (s.resource_ids)", "WHERE false"),
    "who is put beside the others takes a place of theirs": (
        "take_place",
        "CASE WHEN p_over THEN s.capacity + 1 ELSE 1 END",
        "1",
    ),
    "who is put beside the others counts as one of them": (
        "count_places",
        "sum(x.n * (NOT x.over)::int)::int AS total",
        "sum(x.n)::int AS total",
    ),
    "a practitioner's day is not limited": ("count_places", "IF v_day > (", "IF false AND v_day > ("),
    "a practitioner's day is not given back": (
        "count_places",
        "SET booked = y.booked + d.total",
        "SET booked = y.booked",
    ),
    "a move keeps the old place": (
        "move_appointment",
        "WHERE k.id = ANY (v_left) AND k.active",
        "WHERE false",
    ),
    "a move leaves the old place counted": (
        "move_appointment",
        "v_left, a.clinic_session_id, a.door, a.overbooked",
        "v_left, NULL, NULL, NULL",
    ),
    "a key pressed twice books twice": ("remember_request", "IF FOUND THEN", "IF true THEN"),
    "a blocked time is booked": ("booking_context", "AND b.lifted_at IS NULL", "AND false"),
    "a lane in use is taken for a free one": (
        "claim_lane",
        "IF FOUND THEN",
        "IF true THEN",
    ),
}


@contextmanager
def planted(owner_engine: Engine, function: str, says: str, instead: str) -> Iterator[None]:
    """Have a function of the database say something else for a while."""
    with owner_engine.begin() as connection:
        right = connection.execute(
            text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :name"), {"name": function}
        ).scalar_one()
        assert right.count(says) == 1, f"{function} does not say {says!r} once"
        connection.exec_driver_sql(right.replace(says, instead).replace("%", "%%"))
    try:
        yield
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql(right.replace("%", "%%"))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_sees_a_planted_bug(machine: type[Ledger], owner_engine: Engine, bug: str):
    with planted(owner_engine, *BUGS[bug]), pytest.raises((AssertionError, DBAPIError)):
        play(machine, examples=49, steps=50, shrink=False)
