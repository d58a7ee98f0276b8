"""A named cast for tests: facilities, staff, families, and how each signs in.

Two facilities (the hospital BVT and the commune station TYT), a doctor, desk clerks of both, an
administrator, a province officer; Bà Lan with her grandson, and Ông Hùng, who is a stranger to them.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from notifications import sealing
from notifications.models import Notification
from notifications.outbox import opened
from telehealth.accounts import services
from telehealth.accounts.services import GrantSpec, NewStaff
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.core.text import search_form, sort_key
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import Facility

PASSWORD = "hoa sen trắng 1986"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
BA_LAN, ONG_HUNG = "0912345678", "0987654321"


@dataclass(frozen=True)
class Staff:
    """Somebody who works somewhere, and how they sign in."""

    id: UUID
    login: str
    facility_id: UUID | None
    password: str = PASSWORD
    totp_secret: str = TOTP_SECRET

    def totp(self, now: datetime) -> str:
        return pyotp.TOTP(self.totp_secret).at(now)


def facility(code: str, name: str, *, kind: str = "hospital", care_level: str = "basic") -> Facility:
    """A facility row with what tests do not care about filled in."""
    return Facility(
        id=new_id(),
        code=code,
        national_code=f"N{code}",
        name=name,
        name_search=search_form(name),
        name_sort=sort_key(name),
        kind=kind,
        care_level=care_level,
        address="1 đường Lê Lợi",
        area="Phường 1",
        province="Bà Rịa - Vũng Tàu",
        hotline="02543852852",
        hours=[],
        after_hours=[],
    )


def open_facilities(engine: Engine) -> dict[str, UUID]:
    """Open the two facilities of the cast."""
    rows = [
        facility("BVT", "Bệnh viện Bà Rịa"),
        facility("TYT", "Trạm Y tế Long Điền", kind="station", care_level="initial"),
    ]
    with system_unit_of_work(engine) as session:
        session.add_all(rows)
    return {row.code: row.id for row in rows}


def hire(
    engine: Engine,
    cipher: FieldCipher,
    login: str,
    role: Role,
    facility_id: UUID | None,
    *,
    now: datetime,
    totp_secret: str | None = TOTP_SECRET,
    password: str | None = PASSWORD,
    phone: str | None = "0903111222",
) -> Staff:
    """Make a staff account that can sign in at once."""
    new = NewStaff(login, login.replace(".", " ").title(), [GrantSpec(role, facility_id)], phone)
    with system_unit_of_work(engine) as session:
        account_id = services.create_staff(
            session, new, now=now, cipher=cipher, password=password, totp_secret=totp_secret
        )
    return Staff(account_id, login, facility_id)


def messages(engine: Engine, cipher: FieldCipher, kind: str) -> list[dict[str, str]]:
    """What went out of this kind, the newest last: the words of each message, and `to`."""
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            select(Notification)
            .where(Notification.kind == kind)
            .order_by(Notification.created_at, Notification.id)
        ).scalars()
        return [
            opened(cipher, row.params, sealing.PARAMS, row.id) | {"to": to.get("phone") or to.get("email")}
            for row in rows
            for to in [opened(cipher, row.recipient, sealing.RECIPIENT, row.id)]
        ]


def code_for(engine: Engine, cipher: FieldCipher, challenge_id: str) -> str:
    """The code that was sent for a challenge."""
    with system_unit_of_work(engine) as session:
        row = session.execute(
            select(Notification).where(Notification.subject == UUID(challenge_id))
        ).scalar_one()
        return opened(cipher, row.params, sealing.PARAMS, row.id)["code"]


def ask_for_code(client: FlaskClient, phone: str) -> TestResponse:
    """Ask for a code as a program does."""
    return client.post("/api/v1/otp", json={"phone": phone})


def patient_token(client: FlaskClient, engine: Engine, cipher: FieldCipher, phone: str = BA_LAN) -> str:
    """Sign a patient in over the API."""
    challenge = ask_for_code(client, phone).json["challenge_id"]
    code = code_for(engine, cipher, challenge)
    opened_session = client.post("/api/v1/sessions", json={"challenge_id": challenge, "code": code})
    assert opened_session.status_code == 201, opened_session.json
    return opened_session.json["token"]


def staff_token(client: FlaskClient, staff: Staff, now: datetime) -> str:
    """Sign staff in over the API."""
    body = {"login": staff.login, "password": staff.password, "totp": staff.totp(now)}
    opened_session = client.post("/api/v1/sessions", json=body)
    assert opened_session.status_code == 201, opened_session.json
    return opened_session.json["token"]


def bearer(token: str) -> dict[str, str]:
    """The header of a program."""
    return {"Authorization": f"Bearer {token}"}
