"""Reading a facility's file, and the change of its schedule that it asks for."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, Unprocessable
from telehealth.provincial_import.findings import Finding, Place
from telehealth.provincial_import.lines import Sourced
from telehealth.provincial_import.province import overlaps_of, read_rosters
from telehealth.provincial_import.reading import read_table
from telehealth.roster_import.errors import FileTooLarge, NoFile, RosterRefused
from telehealth.roster_import.queries import Codes, codes_of, stored_lines
from telehealth.roster_import.rules import MOST_BYTES, Plan, Stored, Wanted, first_day, planned
from telehealth.schedule_editor.services import Edit
from telehealth.scheduling import editing
from telehealth.scheduling.drafts import LineDraft, QuotaDraft
from telehealth.scheduling.editing import Editor
from telehealth.scheduling.records import RosterRecord

_TABLE = "rosters"
_COLUMNS = {
    "practitioner_id": "licence_no",
    "service_id": "service_code",
    "further_service_ids": "services",
    "resource_ids": "resources",
    "start_minute": "start",
    "end_minute": "end",
}


@dataclass(frozen=True, slots=True)
class RosterFile:
    """A file as it was sent. `complete`: it is the whole roster, and lines that it does not name end."""

    name: str
    raw: bytes
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file asks for, and the change that does it."""

    plan: Plan
    edit: Edit


def asked_by(session: Session, editor: Editor, file: RosterFile, *, now: datetime) -> Asked:
    """Read a file and say what it changes. Raises NoFile, FileTooLarge, RosterRefused."""
    plan = _plan(session, editor.facility_id, file, business_date(now))
    digest = hashlib.sha256(file.raw).hexdigest()
    words = repr((digest, file.complete, sorted(plan.counts.items()), _touched(plan)))
    return Asked(plan, Edit(lambda work: _write(work, editor, file, plan, digest, now), words))


def _plan(session: Session, facility_id: UUID, file: RosterFile, today: date) -> Plan:
    if not file.raw:
        raise NoFile({"file": ["roster-import-no-file"]})
    if len(file.raw) > MOST_BYTES:
        raise FileTooLarge(most=MOST_BYTES // 1024)
    stored = stored_lines(session, facility_id, today)
    codes = codes_of(session, facility_id)
    rows, findings = read_table(_TABLE, file.name, file.raw)
    rosters = read_rosters(rows, codes.facts, findings)
    if not rows and not findings:
        findings.append(Finding(Place(file.name), "", "", "no-lines"))
    _refuse(findings)
    wanted = [Wanted(item.place, _draft(item.record, codes)) for item in rosters]
    plan = planned(wanted, stored, today, complete=file.complete)
    _refuse(list(overlaps_of(_holding(rosters, plan), plan.settled)))
    return plan


def _holding(rosters: list[Sourced[RosterRecord]], plan: Plan) -> list[Sourced[RosterRecord]]:
    over = {wanted.place for wanted in plan.past}
    return [item for item in rosters if item.place not in over]


def _draft(record: RosterRecord, codes: Codes) -> LineDraft:
    further = {codes.services[code] for code in record.more_services if code != record.service_code}
    return LineDraft(
        practitioner_id=codes.practitioners[record.licence_no],
        service_id=codes.services[record.service_code],
        modality=str(record.modality),
        weekdays=tuple(sorted(set(record.weekdays))),
        start_minute=record.start_minute,
        end_minute=record.end_minute,
        slot_minutes=record.slot_minutes,
        capacity=record.capacity,
        room=record.room,
        valid_from=record.valid_from,
        valid_to=record.valid_to,
        every_weeks=record.every_weeks,
        mode=str(record.mode),
        lead_minutes=record.lead_minutes,
        tail_minutes=record.tail_minutes,
        overbook_most=record.overbook_most,
        further_service_ids=tuple(sorted(further)),
        resource_ids=tuple(sorted({codes.resources[code] for code in record.resources})),
        quotas=tuple(
            QuotaDraft(str(quota.door), quota.places, quota.falls_minutes)
            for quota in sorted(record.quotas, key=lambda each: each.door)
        ),
    )


def _touched(plan: Plan) -> list[tuple[str, int]]:
    lines = (*plan.ended, *(stored for stored, _wanted in plan.changed))
    return sorted((str(stored.id), stored.version) for stored in lines)


def _write(
    session: Session, editor: Editor, file: RosterFile, plan: Plan, digest: str, now: datetime
) -> UUID:
    """Write the plan line by line as the editor would: what ends first, then what changes, then what is new.

    Raises RosterRefused with every line that the editor would refuse.
    """
    today = business_date(now)
    for stored in plan.ended:
        editing.end_line(session, editor, stored.id, stored.version, today - timedelta(days=1), now=now)
    findings: list[Finding] = []
    for wanted, write in _writes(editor, plan, today, now):
        try:
            write(session)
        except DomainError as error:
            findings.extend(_finding(wanted.place, error))
    _refuse(findings)
    details = {**plan.counts, "complete": file.complete, "digest": digest[:16]}
    entry = Entry(
        "schedule.import", "Facility", editor.facility_id, facility_id=editor.facility_id, details=details
    )
    record(session, editor.principal, entry, now=now)
    return editor.facility_id


def _writes(
    editor: Editor, plan: Plan, today: date, now: datetime
) -> Iterator[tuple[Wanted, Callable[[Session], UUID]]]:
    for stored, wanted in plan.changed:
        first = first_day(wanted.draft, today)
        draft = replace(wanted.draft, valid_from=first)
        yield wanted, partial(_change, editor, stored, draft, max(first, today), now)
    for wanted in plan.added:
        yield (
            wanted,
            partial(_add, editor, replace(wanted.draft, valid_from=first_day(wanted.draft, today)), now),
        )


def _change(
    editor: Editor, stored: Stored, draft: LineDraft, from_day: date, now: datetime, session: Session
) -> UUID:
    return editing.change_line(session, editor, stored.id, stored.version, draft, from_day=from_day, now=now)


def _add(editor: Editor, draft: LineDraft, now: datetime, session: Session) -> UUID:
    return editing.add_line(session, editor, draft, now=now)


def _finding(place: Place, error: DomainError) -> Iterator[Finding]:
    """Return a refusal of the editor as findings about the line."""
    if isinstance(error, Unprocessable) and error.fields:
        for column, keys in error.fields.items():
            yield from (Finding(place, _COLUMNS.get(column, column), "", key) for key in keys)
    else:
        yield Finding(place, "", "", error.code, error.params)


def _refuse(findings: list[Finding]) -> None:
    if findings:
        in_order = sorted(findings, key=lambda finding: finding.place.row)
        raise RosterRefused({"file": ["roster-import-refused"]}, extra={"findings": in_order})
