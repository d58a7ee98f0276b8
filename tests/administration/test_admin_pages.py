"""Administrators of a facility look after its staff and devices, and of no other."""

import io
import re
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.settings import Settings
from tests.cast import PASSWORD, Staff, hire, messages, open_facilities
from tests.conftest import MovableClock
from tests.forms import post_form

HEADER = "login,full_name,phone,role,facility_code,licence_no"


@pytest.fixture
def places(client: FlaskClient, engine: Engine) -> dict[str, UUID]:
    return open_facilities(engine)


@pytest.fixture
def admin(
    client: FlaskClient, places: dict[str, UUID], engine: Engine, settings: Settings, clock: MovableClock
) -> Staff:
    """Sign the hospital's administrator in, in this browser."""
    staff = hire(engine, settings.cipher, "qt.binh", Role.FACILITY_ADMIN, places["BVT"], now=clock.now)
    sign_in(client, staff, clock)
    return staff


def sign_in(client: FlaskClient, staff: Staff, clock: MovableClock) -> None:
    post_form(client, "/staff/sign-in", "/staff/sign-in", login=staff.login, password=PASSWORD)
    done = post_form(client, "/staff/sign-in/code", "/staff/sign-in/code", code=staff.totp(clock.now))
    assert done.status_code == 302


def upload(client: FlaskClient, place: UUID, content: bytes, name: str = "nhan-vien.csv"):
    page = f"/admin/facilities/{place}/staff"
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).get_data(as_text=True))
    data = {"csrf_token": token[1], "table": (io.BytesIO(content), name)}
    return client.post(f"{page}/import", data=data, content_type="multipart/form-data")


def test_administration_opens_at_ones_own_facility(client: FlaskClient, admin: Staff):
    place = client.get("/admin").headers["Location"]
    page = client.get(place).get_data(as_text=True)
    assert "Bệnh viện Bà Rịa" in page
    assert admin.login in page


def test_another_facility_is_closed(client: FlaskClient, admin: Staff, places: dict[str, UUID]):
    for page in ("staff", "devices", "trail"):
        assert client.get(f"/admin/facilities/{places['TYT']}/{page}").status_code == 403
    assert client.get("/admin/province").status_code == 403
    own = f"/admin/facilities/{places['BVT']}/staff"
    assert post_form(client, own, f"/admin/facilities/{places['TYT']}/staff/invite").status_code == 403


def test_staff_of_another_facility_cannot_be_reset(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], engine: Engine, settings: Settings, clock
):
    other = hire(engine, settings.cipher, "bs.xa", Role.PRACTITIONER, places["TYT"], now=clock.now)
    page = f"/admin/facilities/{places['BVT']}/staff"
    assert post_form(client, page, f"{page}/{other.id}/code").status_code == 404
    assert messages(engine, settings.cipher, "staff-reset") == []


def test_people_come_in_by_file_and_are_invited(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], engine: Engine, settings: Settings
):
    rows = "bs.an,Lê Văn An,0903111333,practitioner,BVT,\ntd.hoa,Đỗ Hoa,,desk,BVT,\n"
    assert upload(client, places["BVT"], f"\ufeff{HEADER}\r\n{rows}".encode()).status_code == 302
    page = f"/admin/facilities/{places['BVT']}/staff"
    shown = client.get(page).get_data(as_text=True)
    assert "Lê Văn An" in shown
    assert "Chưa kích hoạt" in shown
    post_form(client, page, f"{page}/invite")
    sent = messages(engine, settings.cipher, "staff-reset")
    assert [(message["to"], message["minutes"]) for message in sent] == [("+84903111333", "1440")]


def test_an_excel_sheet_does_too(client: FlaskClient, admin: Staff, places: dict[str, UUID]):
    book, raw = Workbook(), io.BytesIO()
    for row in (HEADER.split(","), ["bs.an", "Lê Văn An", "0903111333", "desk", "BVT", None]):
        book.active.append(row)
    book.save(raw)
    assert upload(client, places["BVT"], raw.getvalue(), "nhan-vien.xlsx").status_code == 302


@pytest.mark.parametrize(
    "row",
    [
        "bs.an,Lê Văn An,,practitioner,TYT,",
        "bs.an,Lê Văn An,,province-officer,,",
        "bs.an,Lê Văn An,,king,BVT,",
        "b!,Lê Văn An,,desk,BVT,",
        "bs.an,,,desk,BVT,",
        "bs.an,Lê Văn An,12,desk,BVT,",
    ],
)
def test_a_row_beyond_ones_rights_or_with_a_fault_stops_the_whole_file(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], row: str
):
    good = "td.tot,Người Tốt,,desk,BVT,"
    refused = upload(client, places["BVT"], f"{HEADER}\n{good}\n{row}\n".encode())
    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "Dòng 3" in page
    assert "td.tot" not in page


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"PK\x03\x04broken", b"a,b\n1,2", b"login\n", b"=cmd|x"]
)
def test_a_file_that_is_no_table_is_refused(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], content: bytes
):
    assert upload(client, places["BVT"], content).status_code == 422


def test_roles_are_given_and_withdrawn_but_never_ones_own(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], engine: Engine, settings: Settings, clock
):
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, places["BVT"], now=clock.now)
    page = f"/admin/facilities/{places['BVT']}/staff"
    assert post_form(client, page, f"{page}/{clerk.id}/roles", roles="practitioner").status_code == 302
    with engine.connect() as connection:
        held = connection.execute(
            text("SELECT role FROM membership WHERE account_id = :id AND valid_to IS NULL"), {"id": clerk.id}
        ).scalars()
        assert list(held) == ["practitioner"]
    assert post_form(client, page, f"{page}/{admin.id}/roles", roles="desk").status_code == 409
    assert post_form(client, page, f"{page}/{admin.id}/let-go").status_code == 409


def test_somebody_let_go_is_out_at_once(
    app: Flask, client: FlaskClient, admin: Staff, places: dict[str, UUID], engine, settings, clock
):
    clerk = hire(engine, settings.cipher, "td.hoa", Role.DESK, places["BVT"], now=clock.now)
    theirs = app.test_client()
    sign_in(theirs, clerk, clock)
    page = f"/admin/facilities/{places['BVT']}/staff"
    assert post_form(client, page, f"{page}/{clerk.id}/let-go").status_code == 302
    assert theirs.get("/account/sign-ins").status_code == 302


def test_a_device_code_is_shown_once_and_the_device_can_be_revoked(
    client: FlaskClient, admin: Staff, places: dict[str, UUID], engine: Engine
):
    page = f"/admin/facilities/{places['BVT']}/devices"
    assert post_form(client, page, page, kind="tank", name="x").status_code == 422
    shown = post_form(client, page, page, kind="kiosk", name="Máy lấy số 1").get_data(as_text=True)
    code = re.search(r"<strong>(\w{4}) (\w{4})</strong>", shown)
    made = client.post(
        "/api/v1/devices", json={"code": code[1] + code[2]}, headers={"Authorization": "Bearer none"}
    )
    assert made.status_code == 201
    assert "Máy lấy số 1" in client.get(page).get_data(as_text=True)
    post_form(client, page, f"{page}/{made.json['device_id']}/revoke")
    assert "Máy lấy số 1" not in client.get(page).get_data(as_text=True)
    trail = client.get(f"/admin/facilities/{places['BVT']}/trail").get_data(as_text=True)
    assert "device.revoke" in trail


def test_the_province_sees_its_facilities(
    client: FlaskClient, places: dict[str, UUID], engine: Engine, settings: Settings, clock: MovableClock
):
    sign_in(
        client, hire(engine, settings.cipher, "syt.ha", Role.PROVINCE_OFFICER, None, now=clock.now), clock
    )
    assert client.get("/admin").headers["Location"] == "/admin/province"
    assert "Trạm Y tế Long Điền" in client.get("/admin/province").get_data(as_text=True)
    assert client.get(f"/admin/facilities/{places['BVT']}/staff").status_code == 403


class TestCommands:
    """The same from the command line."""

    def test_accounts_by_file(self, app: Flask, places: dict[str, UUID], tmp_path):
        table = tmp_path / "users.csv"
        table.write_text(f"{HEADER}\nbs.an,Lê Văn An,0903111333,practitioner,BVT,\n", encoding="utf-8")
        run = app.test_cli_runner()
        assert "1 accounts made" in run.invoke(args=["users", "import", str(table), "--invite"]).output
        assert "1 known" in run.invoke(args=["users", "import", str(table)]).output
        assert "bs.an" in run.invoke(args=["users", "list", "BVT"]).output
        table.write_text(f"{HEADER}\nbs.an,Lê Văn An,,king,XXX,\n", encoding="utf-8")
        refused = run.invoke(args=["users", "import", str(table)])
        assert refused.exit_code == 1
        assert "users.csv:2 role" in refused.output

    def test_one_account(self, app: Flask, places: dict[str, UUID], engine: Engine, settings: Settings):
        run = app.test_cli_runner()
        made = [
            "users",
            "add",
            "td.moi",
            "Lê Mới",
            "--role",
            "desk",
            "--facility",
            "BVT",
            "--phone",
            "0903111444",
        ]
        assert run.invoke(args=made).exit_code == 0
        assert "already" in run.invoke(args=made).output
        assert run.invoke(args=["users", "reset", "td.moi"]).exit_code == 0
        assert len(messages(engine, settings.cipher, "staff-reset")) == 2
        for command in ("disable", "enable"):
            assert run.invoke(args=["users", command, "td.moi"]).exit_code == 0
        assert run.invoke(args=["users", "reset", "nobody"]).exit_code == 1


def test_another_system_is_admitted_for_scopes_that_there_are_until_it_is_revoked(
    app: Flask, client: FlaskClient, places: dict[str, UUID]
):
    run = app.test_cli_runner()
    admit = ["users", "add-integrator", "HIS", "--facility", "BVT"]
    for odd in ([], ["--scope", "appointment.read"], ["--scope", "booking.day", "--scope", "staff.change"]):
        refused = run.invoke(args=admit + odd)
        assert refused.exit_code == 1
        assert "booking.day" in refused.output, "it names the scopes that there are"
    made = run.invoke(args=[*admit, "--scope", "booking.day", "--scope", "booking.list"]).output.split()
    keys = {"client_id": made[1], "client_secret": made[3]}
    token = client.post("/api/v1/sessions", json=keys).json["token"]
    day = ("/api/v1/appointments?facility=BVT&date=2026-12-01", {"Authorization": f"Bearer {token}"})
    assert client.get(day[0], headers=day[1]).status_code == 200
    assert (
        f"{made[1]}\tHIS\tBVT\tbooking.day,booking.list"
        in run.invoke(args=["users", "list-integrators"]).output
    )
    assert run.invoke(args=["users", "revoke-integrator", made[1]]).exit_code == 0
    assert client.get(day[0], headers=day[1]).status_code == 401
    assert client.post("/api/v1/sessions", json=keys).status_code == 401
    assert made[1] not in run.invoke(args=["users", "list-integrators"]).output
    assert run.invoke(args=["users", "revoke-integrator", made[1]]).exit_code == 1
