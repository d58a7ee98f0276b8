"""A hospital whose halls are watched, and its administrator."""

from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from telehealth.accounts.models import Account
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from tests.queueing.conftest import begin, doctor, hospital, kiosk, other_hospital
from tests.queueing.hospital import Caller, Hospital

__all__ = ["begin", "doctor", "hospital", "kiosk", "other_hospital"]


def administrator(hospital: Hospital, role: Role = Role.FACILITY_ADMIN) -> tuple[Principal, str]:
    """Give a hospital an administrator; returns who that is and the token."""
    account, token = uuid4(), f"{role} of {hospital.code}"
    with hospital.begin() as session:
        person = Account(id=account, login=f"{role}.{hospital.code}", display_name="Quản trị")
        hospital.employ(session, person, token, role)
    return Principal(PrincipalKind.STAFF, id=account, grants=frozenset({Grant(role, hospital.id)})), token


@pytest.fixture
def admin(app: Flask, clock: object, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), administrator(hospital)[1])


@pytest.fixture
def other_admin(app: Flask, clock: object, other_hospital: Hospital) -> Caller:
    return Caller(app.test_client(), administrator(other_hospital)[1])


@pytest.fixture
def room(hospital: Hospital) -> UUID:
    return hospital.queue("P001")


@pytest.fixture
def signed_in(app: Flask, clock: object, hospital: Hospital, admin: Caller) -> FlaskClient:
    """The administrator's browser."""
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = admin.token
    return client
