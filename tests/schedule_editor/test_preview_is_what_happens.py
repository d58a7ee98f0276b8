"""Whatever is changed: what the preview says is the difference that is seen once it is saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError
from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.schedule_editor.rules import Consequences
from telehealth.schedule_editor.services import Edit, carry_out, edit, preview
from telehealth.scheduling import editing
from telehealth.scheduling.drafts import BlockingDraft, ExceptionDraft, LineDraft, MoveDraft
from telehealth.scheduling.editing import Editor
from telehealth.scheduling.models import Schedule, ScheduleQuota
from telehealth.scheduling.services import materialise_horizon
from telehealth.settings import Settings
from tests.booking.clinic import (
    DOCTORS,
    FACILITIES,
    NOW,
    add_clinic,
    add_employee,
    add_person,
    add_schedule,
    service_id,
)

HERE = FACILITIES["77001"]
FIRST = date(2026, 11, 30)
days = st.integers(0, 20).map(lambda offset: FIRST + timedelta(days=offset))
quarters = st.integers(28, 68).map(lambda quarter: quarter * 15)
doctors = st.sampled_from([DOCTORS["an"], DOCTORS["binh"]])


@st.composite
def lines(draw: st.DrawFn) -> LineDraft:
    start = draw(quarters)
    return LineDraft(
        practitioner_id=draw(doctors),
        service_id=service_id("77001", draw(st.sampled_from(["internal", "desk-only"]))),
        modality="in-person",
        weekdays=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))),
        start_minute=start,
        end_minute=start + draw(st.integers(2, 12)) * 15,
        slot_minutes=draw(st.sampled_from([5, 10, 15, 20])),
        capacity=draw(st.integers(1, 3)),
        room=draw(st.sampled_from(["P1", "P2"])),
        valid_from=draw(days),
        every_weeks=draw(st.integers(1, 3)),
        lead_minutes=draw(st.sampled_from([0, 0, 5])),
    )


@st.composite
def exceptions(draw: st.DrawFn) -> ExceptionDraft:
    kind = draw(st.sampled_from(["leave", "closed", "works-like", "extra"]))
    first = draw(days)
    start = draw(quarters)
    minutes = {"start_minute": start, "end_minute": start + 90}
    whole = kind == "works-like" or (kind != "extra" and draw(st.booleans()))
    extra = {
        "service_id": service_id("77001", "internal"),
        "modality": "in-person",
        "slot_minutes": 10,
        "capacity": 1,
        "room": "P3",
    }
    return ExceptionDraft(
        kind=kind,
        from_date=first,
        to_date=first + timedelta(days=draw(st.integers(0, 3))),
        practitioner_id=draw(doctors) if kind != "closed" else draw(st.none() | doctors),
        like_weekday=draw(st.integers(0, 6)) if kind == "works-like" else None,
        **({} if whole else minutes),
        **(extra if kind == "extra" else {}),
    )


@st.composite
def blockings(draw: st.DrawFn) -> BlockingDraft:
    start = at_local(draw(days), draw(quarters))
    return BlockingDraft(start, start + timedelta(hours=2), "Họp", draw(st.none() | doctors))


@contextmanager
def undone(engine: Engine) -> Iterator[Session]:
    """A transaction of the system that leaves nothing."""
    with Session(engine) as session:
        session.execute(text("SELECT set_config('app.kind', 'system', true)"))
        yield session
        session.rollback()


@pytest.fixture
def editor(engine: Engine, clean_database: None, settings: Settings) -> Editor:
    with system_unit_of_work(engine) as session:
        add_clinic(session)
        materialise_horizon(session, NOW)
        book_some(session, add_person(session, settings.cipher).patient_id)
        return Editor(add_employee(session, Role.FACILITY_ADMIN, "77001").principal, HERE)


def book_some(session: Session, patient_id: UUID) -> None:
    """Put an appointment into every fourth session; only its place in time matters here."""
    session.execute(
        text(
            """WITH several AS (
                 SELECT s.*, row_number() OVER (ORDER BY s.start_at, s.id) AS n FROM clinic_session s
                  WHERE s.facility_id = :here AND s.start_at > :now)
               , taken AS (
                 INSERT INTO appointment (id, code, status, version, clinic_session_id, facility_id,
                        practitioner_id, service_id, modality, start_at, end_at, lane, channel, price_class,
                        coverage_basis, companion, created_at, updated_at, patient_id)
                 SELECT gen_random_uuid(), 'T' || lpad(n::text, 7, '0'), 'booked', 1, id, facility_id,
                        practitioner_id, service_id, modality,
                        start_at + interval '1 minute' * slot_minutes,
                        start_at + interval '2 minutes' * slot_minutes, 1, 'desk', 'self', 'none', false,
                        :now, :now, :patient
                   FROM several WHERE n % 4 = 0 RETURNING clinic_session_id)
               UPDATE clinic_session SET booked = 1 WHERE id IN (SELECT clinic_session_id FROM taken)"""
        ),
        {"here": HERE, "now": NOW, "patient": patient_id},
    )


Sessions = dict[Any, tuple[Any, ...]]


def open_sessions(session: Session) -> Sessions:
    rows = session.execute(
        text(
            "SELECT id, business_date, start_at, end_at, slot_minutes, capacity, room, booked"
            " FROM clinic_session WHERE facility_id = :here AND status = 'open'"
        ),
        {"here": HERE},
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def lost(session: Session) -> set[Any]:
    """Whose time is gone, as the worklist and the blockings say it."""
    rows = session.execute(
        text(
            """SELECT a.id FROM appointment a WHERE a.facility_id = :here
                  AND (EXISTS (SELECT FROM roster_change r WHERE r.clinic_session_id = a.clinic_session_id
                                  AND r.resolved_at IS NULL
                                  AND NOT r.worked @> tstzrange(a.start_at, a.end_at))
                    OR EXISTS (SELECT FROM blocking b WHERE b.facility_id = a.facility_id
                                  AND b.lifted_at IS NULL AND b.from_at < a.end_at
                                  AND b.to_at > a.start_at AND
                                  (b.practitioner_id IS NULL OR b.practitioner_id = a.practitioner_id)))"""
        ),
        {"here": HERE},
    )
    return set(rows.scalars())


def happened(before: Sessions, after: Sessions) -> tuple[set[Any], set[Any]]:
    return after.keys() - before.keys(), before.keys() - after.keys()


def check(session: Session, editor: Editor, asked: Edit, now: datetime = NOW) -> Consequences | None:
    """Preview, save, and hold the one against the other."""
    before = open_sessions(session)
    try:
        said = preview(session, editor, asked, now=now)
    except DomainError:
        return None
    assert open_sessions(session) == before, "a preview writes nothing"
    done = carry_out(session, editor, asked, said.fingerprint, now=now)
    after = open_sessions(session)
    added, removed = happened(before, after)
    assert added == {each.id for effect in said.days for each in effect.added}
    assert removed == {each.id for effect in said.days for each in effect.removed}
    for effect in said.days:
        for change in effect.changed:
            kept = before[change.before.id][-1] and change.narrowed
            shape = (
                change.after.start_at,
                change.after.end_at,
                change.after.slot_minutes,
                change.after.capacity,
            )
            if not kept and before[change.before.id][-1] == 0:
                assert after[change.after.id][1:5] == shape
    assert lost(session) == {each.id for each in done.consequences.outside}
    return said


@given(draft=lines())
@trials(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_new_line(engine: Engine, editor: Editor, draft: LineDraft):
    with undone(engine) as session:
        check(session, editor, edit(editing.add_line, editor, draft, now=NOW))


@given(draft=lines(), which=st.integers(0, 10))
@trials(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_changed_line(engine: Engine, editor: Editor, draft: LineDraft, which: int):
    with undone(engine) as session:
        known = session.query(Schedule).filter_by(facility_id=HERE).order_by(Schedule.id).all()
        line = known[which % len(known)]
        changed = replace(draft, practitioner_id=line.practitioner_id, service_id=line.service_id)
        check(
            session,
            editor,
            edit(
                editing.change_line,
                editor,
                line.id,
                line.version,
                changed,
                from_day=changed.valid_from,
                now=NOW,
            ),
        )


@given(last=days, which=st.integers(0, 10))
@trials(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_an_ended_line(engine: Engine, editor: Editor, last: date, which: int):
    with undone(engine) as session:
        known = session.query(Schedule).filter_by(facility_id=HERE).order_by(Schedule.id).all()
        line = known[which % len(known)]
        said = check(session, editor, edit(editing.end_line, editor, line.id, line.version, last, now=NOW))
        assert said is not None
        assert all(effect.day > last for effect in said.days)


@given(draft=exceptions())
@trials(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_an_exception(engine: Engine, editor: Editor, draft: ExceptionDraft):
    with undone(engine) as session:
        check(session, editor, edit(editing.add_exception, editor, draft, now=NOW))


@given(draft=blockings())
@trials(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_blocking(engine: Engine, editor: Editor, draft: BlockingDraft):
    with undone(engine) as session:
        check(session, editor, edit(editing.add_blocking, editor, draft, now=NOW))


def test_withdrawing_what_was_added_brings_everything_back(engine: Engine, editor: Editor):
    leave = ExceptionDraft("leave", FIRST + timedelta(days=1), FIRST + timedelta(days=9), DOCTORS["an"])
    with undone(engine) as session:
        before = open_sessions(session)
        said = preview(session, editor, edit(editing.add_exception, editor, leave, now=NOW), now=NOW)
        done = carry_out(
            session, editor, edit(editing.add_exception, editor, leave, now=NOW), said.fingerprint, now=NOW
        )
        assert said.outside
        back = edit(editing.withdraw_exception, editor, done.id, 1, now=NOW)
        again = preview(session, editor, back, now=NOW)
        assert {each.id for each in again.again} == {each.id for each in said.outside}
        carry_out(session, editor, back, again.fingerprint, now=NOW)
        assert open_sessions(session) == before
        assert lost(session) == set()


def test_a_stranger_is_not_rostered(engine: Engine, editor: Editor):
    draft = ExceptionDraft("leave", FIRST, FIRST, new_id())
    with undone(engine) as session, pytest.raises(DomainError):
        preview(session, editor, edit(editing.add_exception, editor, draft, now=NOW), now=NOW)


def test_a_preview_of_a_line_that_wants_an_existing_session_is_always_the_same(
    engine: Engine, editor: Editor
):
    draft = LineDraft(
        practitioner_id=DOCTORS["an"],
        service_id=service_id("77001", "internal"),
        modality="in-person",
        weekdays=(1,),
        start_minute=480,
        end_minute=540,
        slot_minutes=10,
        capacity=1,
        room="P9",
        valid_from=FIRST,
    )
    asked = edit(editing.add_line, editor, draft, now=NOW)
    with undone(engine) as session:
        seen = {preview(session, editor, asked, now=NOW).fingerprint for _ in range(8)}
    assert len(seen) == 1


def test_a_session_moved_by_less_than_its_length_is_wholly_moved_and_nothing_else(
    engine: Engine, editor: Editor
):
    shape = (
        "SELECT slot_count, slot_minutes, lead_minutes, tail_minutes, overbook_most, mode, capacity,"
        " (SELECT json_agg(json_build_array(q.door, q.reserved, s.start_at - q.falls_at))::text"
        "    FROM session_quota q WHERE q.clinic_session_id = s.id AND q.reserved > 0)"
        " FROM clinic_session s WHERE practitioner_id = :an AND business_date = :day AND status = 'open'"
        " AND booked = 0 AND service_id = :service AND start_minute = :minute"
    )
    where = {
        "an": DOCTORS["an"],
        "day": FIRST + timedelta(days=2),
        "service": service_id("77001", "internal"),
    }
    with undone(engine) as session:
        session.execute(text("UPDATE clinic_session SET booked = 0"))
        session.execute(text("UPDATE appointment SET status = 'cancelled'"))
        line = session.query(Schedule).filter_by(practitioner_id=DOCTORS["an"], start_minute=480).one()
        line.lead_minutes, line.tail_minutes, line.overbook_most, line.mode = 5, 5, 4, "session"
        session.add(ScheduleQuota(schedule_id=line.id, door="counter", places=2, falls_minutes=60))
        add_schedule(session, "an", "77001", start=510, end=570, service="desk-only", room="P4")
        session.flush()
        materialise_horizon(session, NOW)
        before = session.execute(text(shape), {**where, "minute": 480}).all()
        others = open_sessions(session)
        key = session.execute(
            text("SELECT id FROM clinic_session WHERE schedule_id = :line AND business_date = :day"),
            {"line": line.id, "day": where["day"]},
        ).scalar_one()
        move = MoveDraft(where["day"], 510, DOCTORS["an"], "P8")
        assert check(session, editor, edit(editing.move_session, editor, key, move, now=NOW)) is not None
        after = open_sessions(session)
        assert len(before) == 1
        assert session.execute(text(shape), {**where, "minute": 510}).all() == before
        assert others.keys() - after.keys() == {key}
        assert len(after.keys() - others.keys()) == 1
