"""A small town to attack: two hospitals, their staff and kiosks, two families, and what they left behind.

77001 has doctors, a desk, an administrator and a kiosk, and so has 77002. Lan booked and was given a
number at 77001, Minh booked there too. Everybody is made up.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from telehealth.accounts.models import AccessSession, Account, Device, IntegratorClient, Membership
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.ids import derived_id, new_id
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import ServicePoint
from telehealth.queueing.services import ensure_queues
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, Person, add_clinic, add_person, known_at

TODAY = "2026-11-30T08:00:00+07:00"
TOMORROW = "2026-12-01T00:00:00+07:00"
SITTING = {"77001": "an", "77002": "chi"}
STAFF = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
HISTORY = frozenset({"public.audit_event", "public.login_event"})


@dataclass(frozen=True)
class Caller:
    """Somebody who calls us: a program with a token, or a browser with a cookie."""

    app: Flask
    token: str | None

    def api(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.api("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> TestResponse:
        return self.api("POST", path, json={} if body is None else body, **options)

    def browser(self) -> FlaskClient:
        """A browser that has signed in; its CSRF token is `csrf`."""
        client = self.app.test_client()
        with client.session_transaction() as cookie:
            cookie["csrf"] = "csrf"
            if self.token is not None:
                cookie["_user_id"] = self.token
        return client


@dataclass
class Town:
    """Who is there, by what token, and the records that attacks aim at."""

    app: Flask
    owner_engine: Engine
    lan: Person
    minh: Person
    tokens: dict[str, str]
    records: dict[str, Any] = field(default_factory=dict)

    def caller(self, who: str) -> Caller:
        """Return a caller by name: `lan`, `desk`, `other desk`, ... or `anonymous`."""
        return Caller(self.app, self.tokens.get(who))

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        with self.owner_engine.connect() as connection:
            union = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in self._tables())
            return dict(connection.execute(text(union)).all())

    def hashes(self) -> dict[str, str]:
        """Return a hash of every row of each table but the history, which reading may write."""
        digest = "md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
        with self.owner_engine.connect() as connection:
            union = " UNION ALL ".join(
                f"SELECT '{name}', {digest} FROM {name} t" for name in self._tables() if name not in HISTORY
            )
            return dict(connection.execute(text(union)).all())

    def rows(self, query: str) -> list[Any]:
        """Return what the owner of the database sees."""
        with self.owner_engine.connect() as connection:
            return list(connection.execute(text(query)).all())

    def slots(self, **query: Any) -> list[dict[str, Any]]:
        asked = {"service": "internal", "facility": "77001", "from": TOMORROW, **query}
        answer = self.caller("anonymous").get("/api/v1/slots", query_string=asked)
        assert answer.status_code == 200, answer.json
        found: list[dict[str, Any]] = answer.json["items"]
        return found

    def _tables(self) -> list[str]:
        with self.owner_engine.connect() as connection:
            return list(
                connection.execute(
                    text(
                        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                        "WHERE schemaname IN ('public', 'notifications') ORDER BY 1"
                    )
                ).scalars()
            )


def build(app: Flask, engine: Engine, owner_engine: Engine, cipher: FieldCipher) -> Town:
    """Build the town; the clocks must stand at Monday 08:00."""
    with system_unit_of_work(engine) as session:
        add_clinic(session)
        lan = add_person(session, cipher, 1, name="Trần Thị Lan")
        minh = add_person(session, cipher, 2, name="Lê Văn Minh")
        for person in (lan, minh):
            known_at(session, person, "77001")
        tokens = {"lan": lan.token, "minh": minh.token}
        for code in FACILITIES:
            tokens |= _staff_of(session, code)
        tokens["province-officer"] = _employee(session, Role.PROVINCE_OFFICER, None)
    return Town(app, owner_engine, lan, minh, tokens)


def inhabit(town: Town) -> None:
    """Let Lan and Minh book, and Lan check in, be called, and leave a hold and a video room behind."""
    records = town.records
    today = town.slots(**{"from": TODAY})
    lan, minh = town.caller("lan"), town.caller("minh")
    records["appointment"] = _booked(lan, town.lan, _of(today, "an"), reason="Đau ngực khi gắng sức")
    records["next appointment"] = _booked(lan, town.lan, _of(town.slots(), "an"))
    records["minh's appointment"] = _booked(minh, town.minh, _of(town.slots(), "binh"))
    evening = town.slots(facility="77002", modality="video", **{"from": TODAY})
    records["minh's video"] = _booked(minh, town.minh, evening[0])
    records["hold"] = _ok(lan.post("/api/v1/holds", {"slot_id": town.slots()[-1]["id"]}), 201)
    records["free slot"] = town.slots()[0]["id"]
    code = records["appointment"]["code"]
    records["ticket"] = _ok(town.caller("kiosk").post("/api/v1/check-ins", {"code": code}), 201)
    kiosk = town.caller("kiosk")
    queues = _ok(kiosk.get("/api/v1/queues?facility=77001"), 200)["items"]
    records["queues"] = {queue["code"]: queue["id"] for queue in queues}
    records["walk-in"] = _ok(
        kiosk.post(f"/api/v1/queues/{records['queues']['registration']}/tickets"), 201
    )  # fmt: skip


def _booked(caller: Caller, person: Person, slot: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"slot_id": slot["id"], "patient_id": str(person.patient_id), **more}
    return _ok(caller.post("/api/v1/appointments", body), 201)


def _ok(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.json
    body: dict[str, Any] = answer.json
    return body


def _of(slots: list[dict[str, Any]], doctor: str) -> dict[str, Any]:
    return next(slot for slot in slots if slot["practitioner"]["id"] == str(DOCTORS[doctor]))


def _staff_of(session: Session, code: str) -> dict[str, str]:
    other = "" if code == "77001" else "other "
    for kind, point in (("clinic", "P1"), ("registration", "Q01")):
        session.add(
            ServicePoint(id=new_id(), facility_id=FACILITIES[code], code=point, name=point, kind=kind)
        )
    session.flush()
    ensure_queues(session, FACILITIES[code])
    tokens = {f"{other}{role.value}": _employee(session, role, code) for role in STAFF}
    tokens[f"{other}kiosk"] = _device(session, code)
    tokens[f"{other}integrator"] = _client(session, code)
    return tokens


def _employee(session: Session, role: Role, code: str | None) -> str:
    account_id = derived_id("attacked-staff", role, code)
    doctor = DOCTORS[SITTING[code]] if role is Role.PRACTITIONER and code else None
    session.add(
        Account(
            id=account_id,
            kind="staff",
            login=f"{role}.{code}",
            display_name=f"{role} {code}",
            practitioner_id=doctor,
            created_at=NOW,
            enabled_at=NOW,
        )
    )
    session.flush()
    facility_id = FACILITIES[code] if code else None
    session.add(Membership(account_id=account_id, role=role, facility_id=facility_id, valid_from=NOW))
    return _opened(session, f"token of {role} {code}", kind="staff", account_id=account_id)


def _device(session: Session, code: str) -> str:
    token, device_id = f"token of kiosk {code}", derived_id("attacked-kiosk", code)
    session.add(
        Device(
            id=device_id,
            kind="kiosk",
            facility_id=FACILITIES[code],
            name="Kiosk sảnh A",
            token_hash=token_hash(token),
            enrolled_at=NOW,
        )
    )
    session.flush()
    return _opened(session, token, kind="kiosk", device_id=device_id)


def _client(session: Session, code: str) -> str:
    client_id = derived_id("attacked-client", code)
    session.add(
        IntegratorClient(
            id=client_id,
            name=f"HIS {code}",
            secret_hash=b"",
            scopes=["booking.book", "booking.read", "patient.read"],
            facility_id=FACILITIES[code],
            created_at=NOW,
        )
    )
    session.flush()
    return _opened(session, f"token of client {code}", kind="integrator", client_id=client_id)


def _opened(session: Session, token: str, *, kind: str, **owner: UUID) -> str:
    session.add(
        AccessSession(
            token_hash=token_hash(token),
            kind=kind,
            mfa=True,
            created_at=NOW,
            expires_at=NOW + timedelta(days=300),
            last_seen_at=NOW + timedelta(days=300),
            **owner,
        )
    )
    session.flush()
    return token
