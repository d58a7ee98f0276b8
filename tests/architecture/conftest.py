"""A small world with one signed-in principal of each role."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.accounts import services
from telehealth.accounts.rules import INTEGRATOR_LIFETIME, STAFF_LIFETIME
from telehealth.accounts.services.sessions import Holder, open_session
from telehealth.core.principal import SYSTEM, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import services as patients
from telehealth.patients.services import NewPatient
from telehealth.settings import Settings
from tests.cast import BA_LAN, hire, open_facilities, patient_token
from tests.conftest import MovableClock

STAFF = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER)


@dataclass(frozen=True)
class World:
    """Who is there: tokens by role (None: nobody), and what paths may name."""

    tokens: dict[str | None, str | None]
    values: dict[str, object]


@pytest.fixture
def world(client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock) -> World:
    """Open the facilities, sign one of each role in, register one patient."""
    places = open_facilities(engine)
    tokens: dict[str | None, str | None] = {None: None}
    people = {
        role: hire(
            engine,
            settings.cipher,
            f"a.{role.value}",
            role,
            None if role is Role.PROVINCE_OFFICER else places["BVT"],
            now=clock.now,
        )
        for role in STAFF
    }
    somebody = hire(engine, settings.cipher, "a.somebody", Role.DESK, places["BVT"], now=clock.now)
    tokens["patient"] = patient_token(client, engine, settings.cipher, BA_LAN)
    with system_unit_of_work(engine) as session:
        for role, person in people.items():
            holder = Holder(PrincipalKind.STAFF, account_id=person.id)
            tokens[role.value] = open_session(session, holder, STAFF_LIFETIME, now=clock.now, mfa=True).token
        kiosk = services.enrol_device(
            session, kind="kiosk", facility_id=places["BVT"], name="K1", enrolled_by=None, now=clock.now
        )
        tokens["kiosk"] = kiosk.token
        another = services.enrol_device(
            session, kind="kiosk", facility_id=places["BVT"], name="K2", enrolled_by=None, now=clock.now
        )
        client_id, _secret = services.add_client(
            session, name="HIS", scopes=[], facility_id=places["BVT"], now=clock.now
        )
        holder = Holder(PrincipalKind.INTEGRATOR, client_id=client_id)
        tokens["integrator"] = open_session(session, holder, INTEGRATOR_LIFETIME, now=clock.now).token
        patient_id: UUID = patients.register(
            session, SYSTEM, NewPatient("Lê Thị Tư", birth_year=1950), now=clock.now, cipher=settings.cipher
        )
        patients.link_facility(session, patient_id, places["BVT"], clock.now)
    values = {
        "patient_id": patient_id,
        "facility_id": places["BVT"],
        "facility_code": "BVT",
        "code": "BVT",
        "account_id": somebody.id,
        "device_id": another.device_id,
        "language": "vi",
    }
    return World(tokens, values)
