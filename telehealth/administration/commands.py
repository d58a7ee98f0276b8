"""`flask users`: accounts of staff from the command line."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.orm import Session

from telehealth.accounts import queries
from telehealth.accounts import services as accounts
from telehealth.accounts.rules import INVITATION_LIFETIME, clean_login
from telehealth.accounts.services import GrantSpec, NewStaff, staff_rows
from telehealth.accounts.services.staff import STAFF_ROLES
from telehealth.administration.tables import read_rows
from telehealth.core.errors import DomainError, Unprocessable
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery
from telehealth.web.context import db, services
from telehealth.web.localization import translate

Result = TypeVar("Result")

users = AppGroup("users", help="Accounts of staff.")

_ALL = 5000
_ROLE = click.Choice([role.value for role in STAFF_ROLES])


@users.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what is wrong.")
@click.option("--invite", is_flag=True, help="Send everybody new a code to choose a password with.")
@with_appcontext
def import_file(file: Path, *, dry_run: bool, invite: bool) -> None:
    """Make accounts from a CSV or Excel table, all or nothing.

    Columns: login, full_name, phone, role, facility_code, licence_no.
    """
    with system_unit_of_work(db.engine) as session:
        rows = _said(lambda: read_rows(file.read_bytes()))
        people, faults = staff_rows(rows, _facilities(session), _practitioners(session))
        for row, column, key in faults:
            click.echo(f"{file.name}:{row} {column}: {translate('vi', key)} / {translate('en', key)}")
        if faults:
            raise click.exceptions.Exit(1)
        if dry_run:
            click.echo(f"{len(people)} accounts can be imported.")
            return
        done = accounts.import_staff(session, people, now=_now(), cipher=services().settings.cipher)
        if invite:
            for account_id in done.created:
                _send(session, account_id, invitation=True)
    click.echo(f"{len(done.created)} accounts made, {len(done.existing)} known already.")


@users.command("add")
@click.argument("login")
@click.argument("name")
@click.option("--role", type=_ROLE, required=True)
@click.option("--facility", default="", help="Code of the facility; none for the whole province.")
@click.option("--phone", default=None)
@with_appcontext
def add(login: str, name: str, role: str, facility: str, phone: str | None) -> None:
    """Make one account and send its owner a code to choose a password with."""

    def make() -> UUID:
        with system_unit_of_work(db.engine) as session:
            place = directory.facility_by_code(session, facility).id if facility else None
            new = NewStaff(login, name, [GrantSpec(Role(role), place)], phone)
            account_id = accounts.create_staff(session, new, now=_now(), cipher=services().settings.cipher)
            if phone:
                _send(session, account_id, invitation=True)
            return account_id

    click.echo(str(_said(make)))


@users.command("reset")
@click.argument("login")
@click.option("--lost-authenticator", is_flag=True, help="Forget the authenticator too.")
@with_appcontext
def reset(login: str, *, lost_authenticator: bool) -> None:
    """Send somebody a code to choose a new password with."""

    def send() -> None:
        with system_unit_of_work(db.engine) as session:
            _send(session, _account(session, login), lost_authenticator=lost_authenticator)

    _said(send)
    click.echo("The code is on its way.")


@users.command("disable")
@click.argument("login")
@with_appcontext
def disable(login: str) -> None:
    """Close an account and end its sign-ins at once."""
    with system_unit_of_work(db.engine) as session:
        accounts.disable_staff(session, _account(session, login), now=_now())


@users.command("enable")
@click.argument("login")
@with_appcontext
def enable(login: str) -> None:
    """Open a closed account again; its owner needs a code to choose a password."""
    with system_unit_of_work(db.engine) as session:
        accounts.enable_staff(session, _account(session, login), now=_now())


@users.command("list")
@click.argument("facility")
@with_appcontext
def show(facility: str) -> None:
    """List the staff of a facility."""
    with system_unit_of_work(db.engine) as session:
        place = _said(lambda: directory.facility_by_code(session, facility))
        for staff in queries.staff_of(session, place.id, _now()):
            state = "closed" if staff.disabled else "open" if staff.activated else "not yet used"
            click.echo(f"{staff.login}\t{staff.display_name}\t{','.join(staff.roles_at(place.id))}\t{state}")


@users.command("add-integrator")
@click.argument("name")
@click.option("--facility", default="", help="Code of the facility it speaks for; without it, for all.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; several times.")
@with_appcontext
def add_integrator(name: str, facility: str, scopes: tuple[str, ...]) -> None:
    """Admit another system and print its credentials, this once."""
    possible = _scopes()
    if not scopes or not possible.issuperset(scopes):
        msg = f"name each --scope of: {', '.join(sorted(possible))}"
        raise click.ClickException(msg)
    with system_unit_of_work(db.engine) as session:
        place = _said(lambda: directory.facility_by_code(session, facility)).id if facility else None
        client_id, secret = accounts.add_client(
            session, name=name, scopes=sorted(set(scopes)), facility_id=place, now=_now()
        )
    click.echo(f"client_id {client_id}\nclient_secret {secret}")


@users.command("list-integrators")
@with_appcontext
def list_integrators() -> None:
    """List the systems that are admitted: id, name, facility, scopes."""
    with system_unit_of_work(db.engine) as session:
        admitted = queries.integrators(session)
        places = directory.facilities_by_id(
            session, [each.facility_id for each in admitted if each.facility_id]
        )
        for each in admitted:
            place = places[each.facility_id].code if each.facility_id else "-"
            click.echo(f"{each.id}\t{each.name}\t{place}\t{','.join(each.scopes)}")


@users.command("revoke-integrator")
@click.argument("client_id", type=click.UUID)
@with_appcontext
def revoke_integrator(client_id: UUID) -> None:
    """Admit a system no more; its tokens open nothing from now on."""
    with system_unit_of_work(db.engine) as session:
        if not accounts.revoke_client(session, client_id, _now()):
            msg = f"no system with the id {client_id} is admitted"
            raise click.ClickException(msg)


def _scopes() -> frozenset[str]:
    """Return the actions that another system may ever do."""
    rules = services().policy.rules
    return frozenset(action for action, rule in rules.items() if Role.INTEGRATOR in rule.roles)


def _now() -> datetime:
    return services().clock()


def _send(
    session: Session, account_id: UUID, *, invitation: bool = False, lost_authenticator: bool = False
) -> None:
    options = {"lifetime": INVITATION_LIFETIME} if invitation else {}
    accounts.send_staff_code(
        session,
        account_id,
        now=_now(),
        cipher=services().settings.cipher,
        outbox=services().outbox,
        second_factor_too=lost_authenticator,
        **options,
    )


def _account(session: Session, login: str) -> UUID:
    account_id = queries.account_by_login(session, clean_login(login))
    if account_id is None:
        msg = f"no account has the login {login!r}"
        raise click.ClickException(msg)
    return account_id


def _facilities(session: Session) -> dict[str, UUID]:
    return {place.code: place.id for place in directory.facilities(session, FacilityQuery(limit=_ALL)).items}


def _practitioners(session: Session) -> dict[str, UUID]:
    return {row.licence_no: row.id for row in directory.practitioners(session, limit=_ALL).items}


def _said(do: Callable[[], Result]) -> Result:
    """Run, and turn a refusal into one clear sentence."""
    try:
        return do()
    except DomainError as error:
        fields = error.fields if isinstance(error, Unprocessable) else {}
        keys = [f"error-{error.code}", *[key for group in fields.values() for key in group]]
        raise click.ClickException(
            "; ".join(translate("en", key, dict(error.params)) for key in keys)
        ) from error
