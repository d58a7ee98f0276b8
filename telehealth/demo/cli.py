"""`flask demo load`."""

import json
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from telehealth.core.uow import system_unit_of_work
from telehealth.demo.services import (
    PROVINCE,
    Demo,
    load_deposits,
    load_people,
    load_province,
    load_web_numbers,
)
from telehealth.scheduling.services import materialise_horizon
from telehealth.web.context import db, services

ACCOUNTS = "demo-accounts.json"

demo = AppGroup("demo", help="The demonstration.")


@demo.command("load")
@click.option(
    "--province",
    type=click.Path(exists=True, path_type=Path),
    default=PROVINCE,
    metavar="DIR",
    help="Take the province's files from here.",
)
@with_appcontext
def load(province: Path) -> None:
    """Load the made-up province and its people. Again: bring its dates up to today."""
    parts = services()
    if not parts.settings.demo:
        raise click.ClickException("DEMO is not 1: this installation is no demonstration")
    loader = Demo(parts.settings.secret_key, parts.settings.cipher, parts.clock())
    path = parts.settings.var_dir / ACCOUNTS
    with system_unit_of_work(db.engine) as session:
        report = load_province(session, loader, province)
        sessions = materialise_horizon(session, loader.now)
        people = load_people(session, loader, _known(path))
        load_deposits(session, loader)
        load_web_numbers(session, loader)
    _keep(path, people)
    for table in report.tables:
        click.echo(f"{table.table}: {table.added + table.changed + table.unchanged}")
    click.echo(f"clinic sessions: +{sessions.added}")
    click.echo(f"accounts: {path}")


def _known(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    known: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return known


def _keep(path: Path, people: list[dict[str, Any]]) -> None:
    """Write the file whole and last: while it is missing, the load has not been done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(people, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
