"""What a route may ask of the current request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core import uow
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import Clock
from telehealth.core.crypto import FieldCipher
from telehealth.core.orm import Base
from telehealth.core.permit import Policy
from telehealth.core.principal import ANONYMOUS, Principal
from telehealth.settings import Settings

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

PrincipalLoader = Callable[[Session, datetime], Principal]


@dataclass(frozen=True, slots=True)
class Services:
    """What the composition root hands to every request."""

    settings: Settings
    clock: Clock
    policy: Policy
    outbox: Outbox
    load_principal: PrincipalLoader


def services() -> Services:
    """Return what the composition root built."""
    return cast("Services", current_app.extensions["telehealth"])


def session() -> Session:
    """Return this request's session; the transaction begins with its first statement."""
    if g.get("left", False):
        enter_again()
        principal()
    return cast("Session", db.session())


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """Open this request's transaction, entered as the current principal.

    Entering ends with the transaction: a page that reads after it enters anew. A unit within a unit is
    part of it: it commits with the outer one, and what it could not do rolls back both.
    """
    principal()
    if inside_unit_of_work():
        with _part_of_unit() as work:
            yield work
        return
    g.inside = True
    try:
        with uow.unit_of_work(session()) as work:
            yield work
    finally:
        g.inside, g.left = False, True


def inside_unit_of_work() -> bool:
    """Tell whether a transaction of this request is open that commits later."""
    return bool(g.get("inside", False))


@contextmanager
def _part_of_unit() -> Iterator[Session]:
    try:
        yield session()
    except BaseException:
        session().rollback()
        g.left = True
        raise


def now() -> datetime:
    """Return the instant of this request, read once."""
    if "now" not in g:
        g.now = services().clock()
    return cast("datetime", g.now)


def principal() -> Principal:
    """Return who acts. The first call authenticates and enters row-level security."""
    if "principal" not in g:
        g.principal = ANONYMOUS
        g.principal = services().load_principal(cast("Session", db.session()), now())
        g.left = False
    return cast("Principal", g.principal)


def enter_again() -> None:
    """Forget who entered: after a rollback the next unit of work authenticates and enters anew."""
    g.pop("principal", None)


def permit(action: str, resource: Any = None) -> None:
    """Raise Unauthenticated or Forbidden unless the current principal may."""
    services().policy.require(principal(), action, resource)


def may(action: str, resource: Any = None) -> bool:
    """Tell whether the current principal may; templates ask this too."""
    return services().policy.permit(principal(), action, resource)


def settings() -> Settings:
    """Return the settings."""
    return services().settings


def cipher() -> FieldCipher:
    """Return the field cipher."""
    return services().settings.cipher


def answer_links() -> AnswerLinks:
    """Return what writes and checks the links by which people answer a message."""
    return services().settings.answer_links


def outbox() -> Outbox:
    """Return the way out for messages."""
    return services().outbox
