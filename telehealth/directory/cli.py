"""`flask directory`: the province's calendar, and the commands that other features add."""

from datetime import date, datetime, timedelta

import click
from flask.cli import AppGroup, with_appcontext

from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.calendar import DayKind, OverrideKind
from telehealth.directory.hours import WEEKDAYS, parse_weekday
from telehealth.directory.queries import calendar_days
from telehealth.directory.services import clear_calendar_day, set_calendar_day
from telehealth.web.context import db, services
from telehealth.web.localization import translate

_DAY = click.DateTime(["%Y-%m-%d", "%d/%m/%Y"])


def directory_commands(*more: click.Command) -> AppGroup:
    """Return the group `directory` with the calendar and these commands."""
    group = AppGroup("directory", help="The province's directory.")
    group.add_command(calendar)
    for command in more:
        group.add_command(command)
    return group


@click.group()
def calendar() -> None:
    """Public holidays, and days that are not as the national calendar says."""


@calendar.command("show")
@click.option("--from", "first", type=_DAY, default=None, help="First day (today).")
@click.option("--days", type=click.IntRange(1, 800), default=365, show_default=True)
@click.option("--facility", default="", help="As one facility sees it.")
@with_appcontext
def show(first: datetime | None, days: int, facility: str) -> None:
    """List the days that are not ordinary."""
    start = first.date() if first else business_date(services().clock())
    with system_unit_of_work(db.engine) as session:
        found = calendar_days(session, start, start + timedelta(days=days), facility_code=facility)
    for day in found:
        if day.kind is DayKind.HOLIDAY or day.kind is DayKind.WORKS_LIKE or day.name:
            like = "" if day.weekday is None else WEEKDAYS[day.weekday]
            click.echo(
                f"{day.day.isoformat()} {WEEKDAYS[day.day.weekday()]} {day.kind} {like} {day.name}".rstrip()
            )


@calendar.command("set")
@click.argument("day", type=_DAY)
@click.argument("kind", type=click.Choice([kind.value for kind in OverrideKind]))
@click.option("--like", "like", type=click.Choice(WEEKDAYS, case_sensitive=False), help="For works-like.")
@click.option("--facility", default="", help="For one facility only.")
@click.option("--note", default="")
@with_appcontext
def override(day: datetime, kind: str, like: str | None, facility: str, note: str) -> None:
    """Override the national calendar of a DAY: holiday, working or works-like."""
    try:
        with system_unit_of_work(db.engine) as session:
            set_calendar_day(
                session,
                day.date(),
                OverrideKind(kind),
                facility_code=facility,
                like_weekday=None if like is None else parse_weekday(like),
                note=note,
            )
    except DomainError as refusal:
        raise click.ClickException(_told(refusal)) from refusal
    click.echo(f"{day.date().isoformat()} {kind}")


@calendar.command("clear")
@click.argument("day", type=_DAY)
@click.option("--facility", default="", help="The override of one facility.")
@with_appcontext
def clear(day: datetime, facility: str) -> None:
    """Take an override back."""
    with system_unit_of_work(db.engine) as session:
        found = clear_calendar_day(session, day.date(), facility_code=facility)
    if not found:
        raise click.ClickException(translate("vi", "calendar-nothing-to-clear"))
    click.echo(_cleared(day.date()))


def _cleared(day: date) -> str:
    return f"{day.isoformat()} -"


def _told(refusal: DomainError) -> str:
    return " / ".join(translate(locale, f"error-{refusal.code}", refusal.params) for locale in ("vi", "en"))
