"""Staff: locks, replays, resets, idle accounts, devices."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.accounts import queries, services
from telehealth.accounts.errors import (
    BadPassword,
    NoPhoneOnFile,
    PinNotUsable,
    StepExpired,
    TooManySignIns,
    WrongCode,
    WrongCredentials,
)
from telehealth.accounts.rules import DEVICE_LIFETIME
from telehealth.accounts.services import GrantSpec, NewStaff, Where
from telehealth.accounts.services.sessions import Holder, open_session
from telehealth.core.crypto import token_hash
from telehealth.core.principal import PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.cast import PASSWORD, Staff, bearer, hire, messages, open_facilities, staff_token
from tests.conftest import MovableClock

HERE, ELSEWHERE = Where(ip="10.1.1.1"), Where(ip="10.2.2.2")


@pytest.fixture
def places(client: FlaskClient, engine: Engine) -> dict[str, UUID]:
    return open_facilities(engine)


@pytest.fixture
def doctor(places: dict[str, UUID], engine: Engine, settings: Settings, clock: MovableClock) -> Staff:
    return hire(engine, settings.cipher, "bs.minh", Role.PRACTITIONER, places["BVT"], now=clock.now)


def api_sign_in(client: FlaskClient, **body: str):
    return client.post("/api/v1/sessions", json=body)


def try_password(engine: Engine, login: str, password: str, where: Where, now) -> None:
    with system_unit_of_work(engine) as session:
        services.check_password(session, login=login, password=password, where=where, now=now)


def test_staff_sign_in_over_the_api(client: FlaskClient, doctor: Staff, clock: MovableClock):
    token = staff_token(client, doctor, clock.now)
    assert client.get("/api/v1/sessions", headers=bearer(token)).status_code == 200


def test_the_password_without_the_authenticator_is_not_enough(client: FlaskClient, doctor: Staff):
    refused = api_sign_in(client, login=doctor.login, password=PASSWORD)
    assert (refused.status_code, refused.json["code"]) == (401, "second-factor-needed")


def test_a_code_of_the_authenticator_works_once(client: FlaskClient, doctor: Staff, clock: MovableClock):
    code = doctor.totp(clock.now)
    assert api_sign_in(client, login=doctor.login, password=PASSWORD, totp=code).status_code == 201
    replayed = api_sign_in(client, login=doctor.login, password=PASSWORD, totp=code)
    assert (replayed.status_code, replayed.json["code"]) == (401, "wrong-credentials")
    clock.forward(seconds=30)
    assert staff_token(client, doctor, clock.now)


def test_one_code_sent_many_times_at_once_opens_one_sign_in(
    app: Flask, client: FlaskClient, doctor: Staff, clock: MovableClock
):
    code = doctor.totp(clock.now)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: (
                    api_sign_in(
                        app.test_client(), login=doctor.login, password=PASSWORD, totp=code
                    ).status_code
                ),
                range(4),
            )
        )
    assert sorted(answers) == [201, 401, 401, 401]


def test_wrong_password_and_unknown_login_get_the_same_answer(client: FlaskClient, doctor: Staff):
    wrong = api_sign_in(client, login=doctor.login, password="không phải", totp="123456")
    unknown = api_sign_in(client, login="khong.co", password="không phải", totp="123456")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json["detail"] == unknown.json["detail"]


def test_an_unknown_login_takes_as_long_as_a_known_one(engine: Engine, doctor: Staff, clock: MovableClock):
    def seconds(login: str, number: int) -> float:
        begun = time.perf_counter()
        with pytest.raises(WrongCredentials):
            try_password(engine, login, "không phải", Where(ip=f"10.9.{number}.1"), clock.now)
        return time.perf_counter() - begun

    known, unknown = [], []
    for number in range(8):
        known.append(seconds(doctor.login, number))
        unknown.append(seconds("khong.co", number))
    fastest = min(known), min(unknown)
    assert min(fastest) > 0.4 * max(fastest), (statistics.median(known), statistics.median(unknown))


def test_five_wrong_passwords_lock_the_address_out_and_nobody_else(
    engine: Engine, doctor: Staff, clock: MovableClock
):
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            try_password(engine, doctor.login, "không phải", HERE, clock.now)
    with pytest.raises(TooManySignIns):
        try_password(engine, doctor.login, PASSWORD, HERE, clock.now)
    try_password(engine, doctor.login, PASSWORD, ELSEWHERE, clock.now)
    clock.forward(minutes=15)
    try_password(engine, doctor.login, PASSWORD, HERE, clock.now)


def test_right_passwords_do_not_count_towards_the_lock(engine: Engine, doctor: Staff, clock: MovableClock):
    for _ in range(8):
        try_password(engine, doctor.login, PASSWORD, HERE, clock.now)


def test_refused_tries_are_kept_with_their_address(engine: Engine, doctor: Staff, clock: MovableClock):
    with pytest.raises(WrongCredentials):
        try_password(engine, doctor.login, "không phải", HERE, clock.now)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT outcome, method, ip, account_id FROM login_event")).one()
    assert kept == ("refused", "password", "10.1.1.1", doctor.id)


def test_a_closed_account_is_out_at_once(
    client: FlaskClient, engine: Engine, doctor: Staff, clock: MovableClock
):
    headers = bearer(staff_token(client, doctor, clock.now))
    with system_unit_of_work(engine) as session:
        services.disable_staff(session, doctor.id, now=clock.now)
    assert client.get("/api/v1/sessions", headers=headers).status_code == 401
    refused = api_sign_in(client, login=doctor.login, password=PASSWORD, totp=doctor.totp(clock.now))
    assert refused.json["code"] == "wrong-credentials"


def test_a_withdrawn_role_ends_its_rights_at_once(
    client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock: MovableClock
):
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, places["BVT"], now=clock.now)
    headers = bearer(staff_token(client, clerk, clock.now))
    body = {"full_name": "Nguyễn Thị Lan", "birth_year": 1952}
    assert client.post("/api/v1/patients", json=body, headers=headers).status_code == 201
    with system_unit_of_work(engine) as session:
        services.withdraw_role(session, clerk.id, GrantSpec(Role.DESK, places["BVT"]), now=clock.now)
    assert client.post("/api/v1/patients", json=body, headers=headers).status_code == 403


def test_an_idle_account_is_closed_after_45_days(
    client: FlaskClient, engine: Engine, doctor: Staff, clock: MovableClock
):
    clock.forward(days=44)
    with system_unit_of_work(engine) as session:
        assert services.disable_idle_staff(session, now=clock.now) == 0
    clock.forward(days=2)
    with system_unit_of_work(engine) as session:
        assert services.disable_idle_staff(session, now=clock.now) == 1
        services.enable_staff(session, doctor.id, now=clock.now)
        assert services.disable_idle_staff(session, now=clock.now) == 0


class TestResets:
    """A supervisor lets somebody choose a new password."""

    def send(self, engine: Engine, settings: Settings, account: UUID, now, **options) -> None:
        with system_unit_of_work(engine) as session:
            services.send_staff_code(
                session,
                account,
                now=now,
                cipher=settings.cipher,
                outbox=Outbox(settings.cipher),
                **options,
            )

    def finish(
        self, engine: Engine, settings: Settings, login: str, code: str, now, password="mưa rơi trên lá"
    ):
        with system_unit_of_work(engine) as session:
            services.finish_reset(
                session,
                login=login,
                code=code,
                password=password,
                ip="10.1.1.1",
                user_agent=None,
                now=now,
                cipher=settings.cipher,
            )

    def code(self, engine: Engine, settings: Settings) -> str:
        return messages(engine, settings.cipher, "staff-reset")[-1]["code"]

    def test_a_code_goes_to_the_phone_and_sets_a_password_once(
        self, client: FlaskClient, engine: Engine, settings: Settings, doctor: Staff, clock: MovableClock
    ):
        headers = bearer(staff_token(client, doctor, clock.now))
        self.send(engine, settings, doctor.id, clock.now)
        assert client.get("/api/v1/sessions", headers=headers).status_code == 401, "signed out"
        code = self.code(engine, settings)
        self.finish(engine, settings, doctor.login, code.lower(), clock.now)
        with pytest.raises(WrongCode):
            self.finish(engine, settings, doctor.login, code, clock.now)
        try_password(engine, doctor.login, "mưa rơi trên lá", ELSEWHERE, clock.now)

    def test_a_reset_does_not_get_round_the_authenticator(
        self, client: FlaskClient, engine: Engine, settings: Settings, doctor: Staff, clock: MovableClock
    ):
        self.send(engine, settings, doctor.id, clock.now)
        self.finish(engine, settings, doctor.login, self.code(engine, settings), clock.now)
        refused = api_sign_in(client, login=doctor.login, password="mưa rơi trên lá")
        assert refused.json["code"] == "second-factor-needed"

    def test_a_lost_authenticator_can_be_reset_too(
        self, client: FlaskClient, engine: Engine, settings: Settings, doctor: Staff, clock: MovableClock
    ):
        self.send(engine, settings, doctor.id, clock.now, second_factor_too=True)
        self.finish(engine, settings, doctor.login, self.code(engine, settings), clock.now)
        refused = api_sign_in(client, login=doctor.login, password="mưa rơi trên lá")
        assert (refused.status_code, refused.json["code"]) == (403, "sign-in-set-up-needed")

    def test_five_wrong_codes_burn_it_and_time_ends_it(
        self, engine: Engine, settings: Settings, doctor: Staff, clock: MovableClock
    ):
        self.send(engine, settings, doctor.id, clock.now)
        code = self.code(engine, settings)
        for _ in range(5):
            with pytest.raises(WrongCode):
                self.finish(engine, settings, doctor.login, "AAAA2222", clock.now)
        with pytest.raises(WrongCode):
            self.finish(engine, settings, doctor.login, code, clock.now)
        clock.forward(minutes=16)
        self.send(engine, settings, doctor.id, clock.now)
        code = self.code(engine, settings)
        clock.forward(minutes=31)
        with pytest.raises(WrongCode):
            self.finish(engine, settings, doctor.login, code, clock.now)

    def test_a_code_for_one_person_is_nothing_for_another(
        self, engine: Engine, settings: Settings, doctor: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        hire(engine, settings.cipher, "td.hoa", Role.DESK, places["BVT"], now=clock.now)
        self.send(engine, settings, doctor.id, clock.now)
        with pytest.raises(WrongCode):
            self.finish(engine, settings, "td.hoa", self.code(engine, settings), clock.now)

    @pytest.mark.parametrize("password", ["ngắn", "12345678", "aaaaaaaaaa", "bs.minh2026", "x" * 129])
    def test_a_bad_password_is_refused_and_costs_no_try(
        self, engine: Engine, settings: Settings, doctor: Staff, clock: MovableClock, password: str
    ):
        self.send(engine, settings, doctor.id, clock.now)
        with pytest.raises(BadPassword):
            self.finish(engine, settings, doctor.login, self.code(engine, settings), clock.now, password)
        self.finish(engine, settings, doctor.login, self.code(engine, settings), clock.now)

    def test_without_a_phone_no_code_can_be_sent(
        self, engine: Engine, settings: Settings, places: dict[str, UUID], clock: MovableClock
    ):
        staff = hire(engine, settings.cipher, "td.ba", Role.DESK, places["BVT"], now=clock.now, phone=None)
        with pytest.raises(NoPhoneOnFile):
            self.send(engine, settings, staff.id, clock.now)


class TestPins:
    """A PIN opens one enrolled computer, for somebody of its facility, on the day of a full sign-in."""

    @pytest.fixture
    def clerk(
        self, places: dict[str, UUID], engine: Engine, settings: Settings, clock: MovableClock
    ) -> Staff:
        return hire(engine, settings.cipher, "td.hoa", Role.DESK, places["BVT"], now=clock.now)

    def computer(self, engine: Engine, facility_id: UUID, now) -> Where:
        with system_unit_of_work(engine) as session:
            device = services.enrol_device(
                session, kind="computer", facility_id=facility_id, name="Quầy", enrolled_by=None, now=now
            )
        return Where(ip="10.1.1.1", device_token=device.token)

    def full_sign_in(self, engine: Engine, settings: Settings, clerk: Staff, where: Where, now) -> None:
        with system_unit_of_work(engine) as session:
            services.sign_in_staff(
                session,
                login=clerk.login,
                password=PASSWORD,
                totp=clerk.totp(now),
                where=where,
                now=now,
                cipher=settings.cipher,
            )
            services.set_pin(
                session, clerk.id, "2580", password=PASSWORD, where=where, now=now, cipher=settings.cipher
            )

    def pin(self, engine: Engine, settings: Settings, clerk: Staff, pin: str, where: Where, now):
        with system_unit_of_work(engine) as session:
            return services.sign_in_with_pin(
                session, account_id=clerk.id, pin=pin, where=where, now=now, cipher=settings.cipher
            )

    def test_it_works_after_a_full_sign_in_there_and_nowhere_else(
        self, engine: Engine, settings: Settings, clerk: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        here = self.computer(engine, places["BVT"], clock.now)
        other = self.computer(engine, places["BVT"], clock.now)
        self.full_sign_in(engine, settings, clerk, here, clock.now)
        assert self.pin(engine, settings, clerk, "2580", here, clock.now).token
        for nowhere in (other, Where(ip="10.1.1.1"), Where(ip="10.1.1.1", device_token="made up")):
            with pytest.raises(PinNotUsable):
                self.pin(engine, settings, clerk, "2580", nowhere, clock.now)

    def test_twelve_hours_later_it_opens_nothing(
        self, engine: Engine, settings: Settings, clerk: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        here = self.computer(engine, places["BVT"], clock.now)
        self.full_sign_in(engine, settings, clerk, here, clock.now)
        clock.forward(hours=11, minutes=59)
        late = self.pin(engine, settings, clerk, "2580", here, clock.now)
        assert (late.expires_at - clock.now).total_seconds() == 60
        clock.forward(minutes=2)
        with pytest.raises(PinNotUsable):
            self.pin(engine, settings, clerk, "2580", here, clock.now)

    def test_five_wrong_tries_end_it_until_the_next_full_sign_in(
        self, engine: Engine, settings: Settings, clerk: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        here = self.computer(engine, places["BVT"], clock.now)
        self.full_sign_in(engine, settings, clerk, here, clock.now)
        for _ in range(5):
            with pytest.raises(WrongCredentials):
                self.pin(engine, settings, clerk, "1379", here, clock.now)
        with pytest.raises(PinNotUsable):
            self.pin(engine, settings, clerk, "2580", here, clock.now)
        clock.forward(seconds=30)
        self.full_sign_in(engine, settings, clerk, here, clock.now)
        assert self.pin(engine, settings, clerk, "2580", here, clock.now)

    def test_it_needs_a_role_at_the_computers_facility(
        self, engine: Engine, settings: Settings, clerk: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        foreign = self.computer(engine, places["TYT"], clock.now)
        self.full_sign_in(engine, settings, clerk, foreign, clock.now)
        with pytest.raises(PinNotUsable):
            self.pin(engine, settings, clerk, "2580", foreign, clock.now)

    def test_a_revoked_computer_is_no_computer(
        self, engine: Engine, settings: Settings, clerk: Staff, places: dict[str, UUID], clock: MovableClock
    ):
        here = self.computer(engine, places["BVT"], clock.now)
        self.full_sign_in(engine, settings, clerk, here, clock.now)
        with system_unit_of_work(engine) as session:
            services.revoke_device(session, queries.devices_of(session, places["BVT"])[0].id, clock.now)
        with pytest.raises(PinNotUsable):
            self.pin(engine, settings, clerk, "2580", here, clock.now)

    @pytest.mark.parametrize("pin", ["1234", "0000", "987654", "12", "1234567", "abcd", ""])
    def test_a_guessable_pin_is_refused(
        self, engine: Engine, settings: Settings, clerk: Staff, pin: str, clock
    ):
        with system_unit_of_work(engine) as session, pytest.raises(BadPassword):
            services.set_pin(
                session, clerk.id, pin, password=PASSWORD, where=HERE, now=clock.now, cipher=settings.cipher
            )


class TestDevices:
    """Kiosks come in with a code once, and go when they are revoked."""

    def code(self, engine: Engine, settings: Settings, facility_id: UUID, now, kind: str = "kiosk") -> str:
        with system_unit_of_work(engine) as session:
            return services.issue_device_code(
                session,
                kind=kind,
                facility_id=facility_id,
                name="Máy lấy số 1",
                created_by=None,
                now=now,
                cipher=settings.cipher,
            )

    def test_a_kiosk_is_enrolled_with_a_code_once_and_revoked_at_once(
        self, client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock
    ):
        code = self.code(engine, settings, places["BVT"], clock.now)
        made = client.post("/api/v1/devices", json={"code": code.lower()})
        assert (made.status_code, made.json["kind"]) == (201, "kiosk")
        assert client.post("/api/v1/devices", json={"code": code}).status_code == 410
        headers = bearer(made.json["token"])
        assert client.get("/api/v1/patients", headers=headers).status_code == 403, "kiosk rights only"
        with system_unit_of_work(engine) as session:
            services.revoke_device(session, UUID(made.json["device_id"]), clock.now)
        assert client.get("/api/v1/patients", headers=headers).status_code == 401

    def entered(self, engine: Engine, token: str, now):
        with Session(engine) as session:
            asked = {"token": token_hash(token), "now": now}
            found = session.execute(text("SELECT * FROM app_enter(:token, :now)"), asked).one_or_none()
            reach = session.execute(text("SELECT app_kind(), app_facilities()")).one()
        return found and (found.kind, [grant["role"] for grant in found.grants]), tuple(reach)

    def test_a_board_is_no_kiosk_and_a_computer_is_nobody(
        self, client: FlaskClient, engine: Engine, places: dict[str, UUID], clock: MovableClock
    ):
        tokens = {}
        with system_unit_of_work(engine) as session:
            for kind in ("kiosk", "board", "computer"):
                device = services.enrol_device(
                    session,
                    kind=kind,
                    facility_id=places["BVT"],
                    name="Sảnh",
                    enrolled_by=None,
                    now=clock.now,
                )
                tokens[kind] = device.token
                holder = Holder(PrincipalKind.KIOSK, device_id=device.device_id)
                tokens[f"{kind} again"] = open_session(session, holder, DEVICE_LIFETIME, now=clock.now).token
        kiosk = (("kiosk", ["kiosk"]), ("kiosk", [places["BVT"]]))
        board, nobody = (("board", []), ("board", [])), (None, ("", []))
        for kind, expected in (("kiosk", kiosk), ("board", board), ("computer", nobody)):
            assert self.entered(engine, tokens[kind], clock.now) == expected
            assert self.entered(engine, tokens[f"{kind} again"], clock.now) == expected
        assert client.get("/kiosk", headers=bearer(tokens["board"])).status_code in (200, 302, 403)
        refused = client.post(
            f"/api/v1/appointments/{places['BVT']}/check-in", json={}, headers=bearer(tokens["board"])
        )
        assert refused.status_code == 403, refused.json

    def test_a_code_ends_after_a_quarter_of_an_hour(
        self, client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock
    ):
        code = self.code(engine, settings, places["BVT"], clock.now)
        clock.forward(minutes=15, seconds=1)
        assert client.post("/api/v1/devices", json={"code": code}).json["code"] == "wrong-device-code"

    def test_a_computers_code_makes_no_kiosk(
        self, client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock
    ):
        code = self.code(engine, settings, places["BVT"], clock.now, kind="computer")
        assert client.post("/api/v1/devices", json={"code": code}).status_code == 410

    def test_guessing_codes_is_slowed_down(self, client: FlaskClient):
        answers = [client.post("/api/v1/devices", json={"code": "AAAA"}).status_code for _ in range(21)]
        assert answers == [410] * 20 + [429]


class TestOtherSystems:
    """Integrators sign in with an id and a secret."""

    def test_a_client_gets_a_token_for_an_hour(
        self, client: FlaskClient, engine: Engine, places: dict[str, UUID], clock: MovableClock
    ):
        with system_unit_of_work(engine) as session:
            client_id, secret = services.add_client(
                session, name="HIS", scopes=["slots"], facility_id=places["BVT"], now=clock.now
            )
        made = client.post("/api/v1/sessions", json={"client_id": str(client_id), "client_secret": secret})
        assert (made.status_code, made.json["kind"]) == (201, "integrator")
        headers = bearer(made.json["token"])
        assert client.delete("/api/v1/sessions", headers=headers).status_code == 204
        wrong = client.post("/api/v1/sessions", json={"client_id": str(client_id), "client_secret": "x"})
        assert wrong.json["code"] == "wrong-credentials"


def test_accounts_come_in_bulk_and_again_without_harm(
    client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock: MovableClock
):
    rows = [
        {
            "login": "BS.An",
            "full_name": "Lê An",
            "phone": "0903111222",
            "role": "practitioner",
            "facility_code": "BVT",
        },
        {"login": "bs.an", "full_name": "Lê An", "role": "desk", "facility_code": "TYT"},
        {
            "login": "??",
            "full_name": "",
            "phone": "1",
            "role": "king",
            "facility_code": "X",
            "licence_no": "7",
        },
    ]
    people, faults = services.staff_rows(rows, places, {})
    assert [(row, column) for row, column, _key in faults] == [
        (4, "login"),
        (4, "full_name"),
        (4, "phone"),
        (4, "role"),
        (4, "facility_code"),
        (4, "licence_no"),
    ]
    for created in (1, 0):
        with system_unit_of_work(engine) as session:
            done = services.import_staff(session, people, now=clock.now, cipher=settings.cipher)
        assert len(done.created) == created
    with system_unit_of_work(engine) as session:
        found = queries.staff_of(session, places["TYT"], clock.now)
    assert [(staff.login, staff.activated, staff.roles_at(places["TYT"])) for staff in found] == [
        ("bs.an", False, ["desk"])
    ]


def test_an_account_without_a_password_opens_to_none(
    client: FlaskClient, engine: Engine, settings: Settings, places: dict[str, UUID], clock: MovableClock
):
    new = NewStaff("bs.moi", "Lê Mới", [GrantSpec(Role.DESK, places["BVT"])], "0903111222")
    with system_unit_of_work(engine) as session:
        services.create_staff(session, new, now=clock.now, cipher=settings.cipher)
    for password in ("a password that nobody has", "x"):
        assert api_sign_in(client, login="bs.moi", password=password).json["code"] == "wrong-credentials"


def test_refusing_needs_no_second_connection_of_a_pool_that_is_used_up(
    engine: Engine, doctor: Staff, clock: MovableClock
):
    narrow = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    try:
        with pytest.raises(WrongCredentials):
            try_password(narrow, doctor.login, "không phải", HERE, clock.now)
        try_password(narrow, doctor.login, PASSWORD, HERE, clock.now)
    finally:
        narrow.dispose()


def test_an_authenticator_set_up_earlier_is_no_sign_in(
    engine: Engine, places: dict[str, UUID], settings: Settings, clock: MovableClock
):
    fresh = hire(
        engine, settings.cipher, "bs.moi", Role.PRACTITIONER, places["BVT"], now=clock.now, totp_secret=None
    )
    with system_unit_of_work(engine) as session:
        services.prepare_totp(session, fresh.id, cipher=settings.cipher)
        secret, _address = services.totp_to_enrol(session, fresh.id, cipher=settings.cipher)
        code, asked = pyotp.TOTP(secret).at(clock.now), {"where": HERE, "now": clock.now}
        enrolled = services.confirm_totp(session, fresh.id, code, cipher=settings.cipher, **asked)
        assert services.finish_after_enrolment(session, enrolled, **asked).account_id == fresh.id
        with pytest.raises(StepExpired):
            services.confirm_totp(session, fresh.id, code, cipher=settings.cipher, **asked)
