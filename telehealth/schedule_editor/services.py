"""Carrying a change out, or only saying what it would do: the same code either way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import Forbidden
from telehealth.core.principal import Principal, Role
from telehealth.schedule_editor import queries
from telehealth.schedule_editor.rules import (
    Consequences,
    Snapshot,
    day_effects,
    doubts,
    fingerprint,
    stands,
)
from telehealth.scheduling.drafts import BlockingDraft, ExceptionDraft
from telehealth.scheduling.editing import Editor
from telehealth.scheduling.errors import BeyondDeskDays, PreviewStale
from telehealth.scheduling.policies import DESK_DAYS_AHEAD, DESK_KINDS
from telehealth.scheduling.services import HORIZON_DAYS, materialise_facility, planned_at

_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:facility, 7702608))")


@dataclass(frozen=True, slots=True)
class Edit:
    """A change: how it is written (returning the id of what was), and words that stand for all it asks."""

    write: Callable[[Session], UUID]
    asked: str


def edit(write: Callable[..., UUID], editor: Editor, *arguments: Any, now: datetime, **options: Any) -> Edit:
    """Return the edit that calls one of scheduling.editing with these arguments."""
    return Edit(
        lambda session: write(session, editor, *arguments, now=now, **options),
        repr((write.__name__, arguments, sorted(options.items()))),
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What was written, and what that does."""

    id: UUID
    consequences: Consequences


def preview(session: Session, editor: Editor, edit: Edit, *, now: datetime) -> Consequences:
    """Say what a change would do; nothing of it stays written. Raises as the change itself would."""
    session.execute(_TAKE_TURNS, {"facility": str(editor.facility_id)})
    attempt = session.begin_nested()
    try:
        return _written(session, editor, edit, now).consequences
    finally:
        if attempt.is_active:
            attempt.rollback()


def carry_out(session: Session, editor: Editor, edit: Edit, seen: str, *, now: datetime) -> Done:
    """Do what the preview with this fingerprint showed, and bring the days it touches up to date.

    Sessions that people hold places in stay and go to the worklist (scheduling/services.py). Raises
    PreviewStale with what it would do now, and as the change itself.
    """
    session.execute(_TAKE_TURNS, {"facility": str(editor.facility_id)})
    done = _written(session, editor, edit, now)
    if done.consequences.fingerprint != seen:
        raise PreviewStale(extra={"preview": done.consequences.fingerprint})
    materialise_facility(session, editor.facility_id, [effect.day for effect in done.consequences.days], now)
    return done


def allow_exception(editor: Editor, draft: ExceptionDraft, now: datetime) -> None:
    """Let a desk write leave, closures and extra sessions of the coming weeks.

    Raises Forbidden, BeyondDeskDays.
    """
    if _administers(editor):
        return
    if draft.kind not in DESK_KINDS:
        raise Forbidden
    _within_desk_days(draft.to_date, now)


def allow_blocking(editor: Editor, draft: BlockingDraft, now: datetime) -> None:
    """Let a desk block the coming weeks. Raises BeyondDeskDays."""
    if not _administers(editor):
        _within_desk_days(business_date(draft.to_at), now)


def allow_days(editor: Editor, days: Iterable[date], now: datetime) -> None:
    """Let a desk change what lies within the coming weeks. Raises BeyondDeskDays."""
    if not _administers(editor):
        _within_desk_days(max(days), now)


def note_names_seen(
    session: Session, principal: Principal, facility_id: UUID, found: Consequences, now: datetime
) -> None:
    """Write into the trail whose names a preview showed."""
    people = {each.patient_id for each in (*found.outside, *found.again) if each.patient_id is not None}
    entries = [Entry("schedule.preview", "Appointment", None, each, facility_id) for each in sorted(people)]
    record(session, principal, *entries, now=now)


def _administers(editor: Editor) -> bool:
    return editor.principal.holds_at(editor.facility_id, Role.FACILITY_ADMIN)


def _within_desk_days(last: date, now: datetime) -> None:
    if last > business_date(now) + timedelta(days=DESK_DAYS_AHEAD):
        raise BeyondDeskDays(days=DESK_DAYS_AHEAD)


def _written(session: Session, editor: Editor, edit: Edit, now: datetime) -> Done:
    first = business_date(now)
    last = max(first + timedelta(days=HORIZON_DAYS), queries.last_day(session, editor.facility_id) or first)
    before = _snapshot(session, editor.facility_id, first, last, now)
    key = edit.write(session)
    session.flush()
    after = _snapshot(session, editor.facility_id, first, last, now)
    found = _consequences(session, editor, before, after, now)
    return Done(key, replace(found, fingerprint=fingerprint(edit.asked, found)))


def _snapshot(session: Session, facility_id: UUID, first: date, last: date, now: datetime) -> Snapshot:
    return Snapshot(
        planned=planned_at(session, facility_id, first, last),
        blocked=queries.blocked_from(session, facility_id, now),
        over_limit=queries.days_over_limit(session, facility_id, now),
        extras=queries.extras(session, facility_id, first),
        rooms=queries.room_codes(session, facility_id),
    )


def _consequences(
    session: Session, editor: Editor, before: Snapshot, after: Snapshot, now: datetime
) -> Consequences:
    effects = day_effects(before, after)
    touched = queries.standing(
        session,
        editor.facility_id,
        practitioner_ids={who for effect in effects for who in effect.practitioner_ids},
        days=[effect.day for effect in effects],
        spans=[(item.from_at, item.to_at) for item in before.blocked ^ after.blocked],
        now=now,
    )
    outside, again = [], []
    for each in touched:
        day = business_date(each.start)
        stood, will = stands(each, before, day), stands(each, after, day)
        if stood and not will:
            outside.append(each)
        elif will and not stood:
            again.append(each)
    return Consequences(effects, tuple(outside), tuple(again), doubts(before, after, effects))
