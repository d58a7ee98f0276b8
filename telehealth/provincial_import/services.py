"""Taking the province's files over: whole or not at all, and the same files change nothing twice."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from telehealth.core import merge
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.merge import Difference, Row
from telehealth.directory.hours import WEEKDAYS, format_minute
from telehealth.directory.models import DirectoryImport, Facility, HealthcareService, Practitioner
from telehealth.directory.services import compare_directory
from telehealth.provincial_import.findings import Finding
from telehealth.provincial_import.layout import COLUMNS
from telehealth.provincial_import.province import Province, read_province
from telehealth.provincial_import.reading import Tables, read_tables
from telehealth.queueing.services import ensure_all_queues
from telehealth.scheduling.rosters import RosterRecords, compare_rosters


@dataclass(frozen=True, slots=True)
class TableReport:
    """What an import changes in one table: counts, and a line for each changed thing.

    `overruled` lines of the files are in the editor's hands and stay as they are there.
    """

    table: str
    added: int
    changed: int
    removed: int
    unchanged: int
    overruled: int
    lines: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "overruled": self.overruled,
        }


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Why the files were refused, or what they change; `written` tells whether it was done."""

    findings: tuple[Finding, ...]
    tables: tuple[TableReport, ...]
    written: bool

    @property
    def refused(self) -> bool:
        """Tell whether anything stands against the files."""
        return bool(self.findings)


Move = Callable[[Province], timedelta]


def import_province(
    session: Session,
    source: Path,
    *,
    now: datetime,
    cipher: FieldCipher,
    dry_run: bool = False,
    move: Move | None = None,
) -> ImportReport:
    """Read, check, compare and (unless `dry_run`) write. Any finding: nothing is written.

    `move` tells by how much the dated lines are moved; only the demonstration does that.
    """
    tables, findings = read_tables(source)
    province = read_province(tables, findings)
    if findings:
        return ImportReport(tuple(_in_order(findings)), (), written=False)
    if move is not None:
        province = province.moved(move(province))
    differences = _compare(session, province, today=business_date(now), cipher=cipher)
    reports = tuple(_report(session, differences))
    if not dry_run:
        for found in differences.values():
            merge.apply(session, found)
        ensure_all_queues(session)
        _record(session, tables, reports, now)
    return ImportReport((), reports, written=not dry_run)


def _compare(
    session: Session, province: Province, *, today: date, cipher: FieldCipher
) -> dict[str, Difference]:
    """Return the differences in the order in which they can be written."""
    directory = compare_directory(session, province.directory, today=today, cipher=cipher)
    rosters = compare_rosters(
        session,
        RosterRecords(
            rosters=[item.record for item in province.rosters],
            exceptions=[item.record for item in province.exceptions],
            resources=[item.record for item in province.resources],
            policies=[item.record for item in province.policies],
            limits=[item.record for item in province.limits],
        ),
        today=today,
    )
    return {
        "facilities": directory.facilities,
        "services": directory.services,
        "practitioners": directory.practitioners,
        "service_points": directory.service_points,
        "resources": rosters.resources,
        "rosters": rosters.rosters,
        "roster_services": rosters.services,
        "roster_resources": rosters.needs,
        "roster_quotas": rosters.quotas,
        "exceptions": rosters.exceptions,
        "oncall": directory.on_call,
        "policies": rosters.policies,
        "limits": rosters.limits,
    }


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.place.file, finding.place.row))


def _record(session: Session, tables: Tables, reports: Sequence[TableReport], now: datetime) -> None:
    session.execute(
        insert(DirectoryImport).values(
            id=new_id(),
            at=now,
            digest=_digest(tables),
            report={report.table: report.counts() for report in reports},
        )
    )


def _digest(tables: Tables) -> str:
    told = hashlib.sha256()
    for table in sorted(tables):
        for line in tables[table]:
            told.update("\x1f".join([table, *line.cells.values(), "\n"]).encode())
    return told.hexdigest()


def _report(session: Session, differences: Mapping[str, Difference]) -> list[TableReport]:
    names = _names(session, differences)
    return [
        TableReport(
            table=table,
            added=len(found.added),
            changed=len(found.changed),
            removed=len(found.removed),
            unchanged=found.unchanged,
            overruled=len(found.overruled),
            lines=(
                *(f"! {table} {_label(row, names)}" for row in found.overruled),
                *(f"- {table} {_label(row, names)}" for row in found.removed),
                *(
                    f"~ {table} {_label(change.row, names)}: {', '.join(change.columns)}"
                    for change in found.changed
                ),
                *(f"+ {table} {_label(row, names)}" for row in found.added),
            ),
        )
        for table, found in differences.items()
        if table in COLUMNS or found.unchanged or not found.empty
    ]


def _names(session: Session, differences: Mapping[str, Difference]) -> dict[UUID, str]:
    """Return the code of every facility, service and practitioner, stored or about to be."""
    names: dict[UUID, str] = {}
    for key, code in (
        (Facility.id, Facility.code),
        (HealthcareService.id, HealthcareService.code),
        (Practitioner.id, Practitioner.licence_no),
    ):
        names.update((row[0], row[1]) for row in session.execute(select(key, code)))
    for table in ("facilities", "services", "practitioners"):
        for row in differences[table].added:
            names[row["id"]] = row.get("code") or row["licence_no"]
    return names


_REFERENCES = ("facility_id", "practitioner_id", "first_practitioner_id", "service_id")
_OWN = ("specialty", "kind", "day", "from_date", "modality", "door", "places", "per_day")


def _label(row: Row, names: Mapping[UUID, str]) -> str:
    """Return the codes by which people know the row."""
    if "licence_no" in row:
        return str(row["licence_no"])
    parts = [names.get(row[name], "?") for name in _REFERENCES if row.get(name)]
    if "code" in row:
        return " ".join([*parts, row["code"]])
    parts += [str(row[name]) for name in _OWN if row.get(name)]
    if "weekdays" in row:
        parts.append(";".join(WEEKDAYS[day] for day in row["weekdays"]))
    if row.get("start_minute") is not None:
        parts.append(f"{format_minute(row['start_minute'])}-{format_minute(row['end_minute'])}")
    return " ".join(parts)


def moved_to(day: date) -> Callable[[Province], timedelta]:
    """Return a move by whole weeks that brings the first day of duty into the week before `day`."""

    def move(province: Province) -> timedelta:
        days: list[Any] = [item.record.day for item in province.on_call]
        first = min(days, default=day)
        return timedelta(weeks=(day - first).days // 7)

    return move
