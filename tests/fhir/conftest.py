"""The clinic of the booking tests, spoken to in FHIR."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from telehealth.accounts.models import AccessSession, IntegratorClient
from telehealth.core.crypto import token_hash
from telehealth.core.ids import derived_id
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import FACILITIES, NOW
from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock, web
from tests.fhir.speaking import Speaker

__all__ = ["clinic", "desk", "lan", "minh", "set_database_clock", "web"]

ALL_SCOPES = (
    "booking.hold",
    "booking.book",
    "booking.list",
    "booking.day",
    "booking.read",
    "booking.cancel",
    "booking.reschedule",
    "patient.read",
)


def add_system(session: Session, code: str, scopes: tuple[str, ...]) -> str:
    """Admit a hospital's system; return its token."""
    client_id, token = derived_id("his", code, *scopes), f"token of the system of {code} {' '.join(scopes)}"
    session.add(
        IntegratorClient(
            id=client_id,
            name=f"HIS {code}",
            secret_hash=b"",
            scopes=list(scopes),
            facility_id=FACILITIES[code],
            created_at=NOW,
        )
    )
    session.flush()
    session.add(
        AccessSession(
            token_hash=token_hash(token),
            kind="integrator",
            client_id=client_id,
            mfa=True,
            created_at=NOW,
            expires_at=NOW.replace(year=2030),
            last_seen_at=NOW,
        )
    )
    return token


@pytest.fixture
def system(engine: Engine, web: FlaskClient) -> Callable[..., Speaker]:
    """Admit a hospital's system with scopes, and speak as it."""

    def admitted(code: str = "77001", scopes: tuple[str, ...] = ALL_SCOPES) -> Speaker:
        with system_unit_of_work(engine) as session:
            return Speaker(web, add_system(session, code, scopes))

    return admitted


@pytest.fixture
def anyone(web: FlaskClient) -> Speaker:
    """A program without a token."""
    return Speaker(web, None)
