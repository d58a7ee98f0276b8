"""`flask directory import`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click
from flask.cli import with_appcontext

from telehealth.core.clock import business_date
from telehealth.core.uow import system_unit_of_work
from telehealth.provincial_import.findings import Finding
from telehealth.provincial_import.services import ImportReport, import_province
from telehealth.scheduling.services import materialise
from telehealth.web.context import db, services
from telehealth.web.localization import LOCALES, translate

SHOWN_LINES = 200
SOON_DAYS = 21


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing.")
@with_appcontext
def import_command(source: Path, dry_run: bool) -> None:
    """Import the province's files from a folder or a workbook, whole or not at all."""
    parts = services()
    with system_unit_of_work(db.engine) as session:
        report = import_province(
            session, source, now=parts.clock(), cipher=parts.settings.cipher, dry_run=dry_run
        )
    for line in report_lines(report, dry_run=dry_run):
        click.echo(line)
    if report.refused:
        raise SystemExit(1)
    if report.written:
        _bring_sessions_up_to_date(parts.clock())


def _bring_sessions_up_to_date(now: datetime) -> None:
    """Make or change the clinic sessions of the weeks that people book; the worker does the later ones.

    A session in which people hold places is never removed: it goes to the facility's worklist.
    """
    today = business_date(now)
    days = [today + timedelta(days=ahead) for ahead in range(SOON_DAYS)]
    with system_unit_of_work(db.engine) as session:
        done = materialise(session, days, now)
    for line in _both(
        "import-sessions", added=done.added, changed=done.changed, cancelled=done.cancelled, kept=done.kept
    ):
        click.echo(line)


def report_lines(report: ImportReport, *, dry_run: bool) -> Iterator[str]:
    """Return the report as people read it, each sentence in Vietnamese and in English."""
    if report.refused:
        for finding in report.findings:
            yield from finding_lines(finding)
        yield from _both("import-refused", count=len(report.findings))
        return
    for table in report.tables:
        counts = f"+{table.added} ~{table.changed} -{table.removed} ={table.unchanged}"
        yield f"{table.table}: {counts}" + (f" !{table.overruled}" if table.overruled else "")
    lines = [line for table in report.tables for line in table.lines]
    yield from (f"  {line}" for line in lines[:SHOWN_LINES])
    if len(lines) > SHOWN_LINES:
        yield from _both("import-more-lines", count=len(lines) - SHOWN_LINES)
    if any(table.overruled for table in report.tables):
        yield from _both("import-overruled", count=sum(table.overruled for table in report.tables))
    yield from _both("import-dry-run" if dry_run else "import-done")


def finding_lines(finding: Finding) -> Iterator[str]:
    """Return file, row, column, value and code, then the reason in both languages."""
    place = [f"{finding.place.file}"]
    if finding.place.row:
        place.append(f"dòng/row {finding.place.row}")
    if finding.column:
        place.append(f"cột/column {finding.column}")
    if finding.value:
        place.append(f"'{finding.shown_value}'")
    yield f"{', '.join(place)} [{finding.code}]"
    yield from (f"    {text}" for text in _both(f"import-{finding.code}", **finding.params))


def _both(key: str, **params: str | int) -> Iterator[str]:
    return (f"{locale}: {translate(locale, key, params)}" for locale in LOCALES)
