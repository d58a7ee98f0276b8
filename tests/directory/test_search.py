"""Finding facilities, services and practitioners over HTTP."""

import pytest
from flask.testing import FlaskClient

from notifications.templates.lint import LONGEST
from notifications.templates.segments import unaccented
from telehealth.directory.naming import SHORT_NAME, short_name


def names(visitor: FlaskClient, address: str) -> list[str]:
    answer = visitor.get(f"/api/v1/{address}")
    assert answer.status_code == 200, answer.json
    return [item["name"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    "q", ["benh vien ba ria", "Bệnh viện Bà Rịa", "BV BA RIA", "bà rịa bệnh viện", "BÊNH VIÊN BÀ RIA"]
)
def test_a_hospital_is_found_with_and_without_marks(visitor: FlaskClient, q: str):
    assert names(visitor, f"facilities?q={q}")[0] == "Bệnh viện Bà Rịa"


def test_a_mistyped_name_finds_what_comes_near(visitor: FlaskClient):
    answer = visitor.get("/api/v1/facilities?q=benh vien vung tauu")
    assert answer.json["approximate"] is True
    assert answer.json["items"][0]["name"] == "Bệnh viện Vũng Tàu"


@pytest.mark.parametrize("q", ["%25", "_", "';DROP TABLE facility;--", "😀😀", "\\"])
def test_odd_text_finds_nothing_and_breaks_nothing(visitor: FlaskClient, q: str):
    answer = visitor.get(f"/api/v1/facilities?q={q}&care_level=basic")
    assert answer.status_code == 200


def test_names_come_in_vietnamese_order_page_by_page(visitor: FlaskClient):
    seen, cursor = [], ""
    while cursor is not None:
        page = visitor.get(f"/api/v1/facilities?limit=25&cursor={cursor}").json
        seen += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 96
    assert seen.index("Bệnh viện Bà Rịa") < seen.index("Bệnh viện Mắt") < seen.index("Bệnh viện Vũng Tàu")
    district = [name for name in seen if name.startswith("Trung tâm")]
    assert district.index(next(n for n in district if "Đất Đỏ" in n)) > district.index(
        next(n for n in district if "Châu Đức" in n)
    )


def test_the_nearest_facility_comes_first_with_its_distance(visitor: FlaskClient):
    page = visitor.get("/api/v1/facilities?near=10.3436,107.0898&limit=5").json
    assert page["items"][0]["name"] == "Bệnh viện Vũng Tàu"
    distances = [item["distance_km"] for item in page["items"]]
    assert distances == sorted(distances)
    following = visitor.get(f"/api/v1/facilities?near=10.3436,107.0898&limit=5&cursor={page['next']}").json
    assert following["items"][0]["distance_km"] >= distances[-1]


def test_filters_by_care_level_and_service(visitor: FlaskClient):
    found = visitor.get("/api/v1/facilities?care_level=specialised&service=cardiology&limit=100").json[
        "items"
    ]
    assert [item["code"] for item in found] == ["77001", "77002"]


def test_a_facility_shows_its_hours_and_both_codes(visitor: FlaskClient):
    found = visitor.get("/api/v1/facilities/77001").json
    assert (found["code"], found["national_code"], found["hotline"]) == ("77001", "8930000077001", "19009095")
    assert found["hours"][0] == {"weekday": "MO", "start": "07:00", "end": "11:30"}
    assert found["after_hours"][-1] == {"weekday": "SU", "start": "07:30", "end": "11:00"}
    assert found["short_name"] == "BV Bà Rịa"


def test_services_carry_their_public_prices(visitor: FlaskClient):
    items = visitor.get("/api/v1/facilities/77001/services", headers={"Accept-Language": "en"}).json["items"]
    cardiology = next(item for item in items if item["code"] == "cardiology")
    assert cardiology["name"] == "Cardiology"
    assert cardiology["prices"] == {
        "insured": 60000,
        "self": 60000,
        "on_request": 180000,
        "after_hours": 120000,
    }
    assert cardiology["modalities"] == ["in-person", "video"]


def test_practitioners_come_by_given_name_and_are_found_without_marks(visitor: FlaskClient):
    first = visitor.get("/api/v1/practitioners?facility=77001&service=cardiology&limit=100").json["items"]
    given = [item["name"].split()[-1] for item in first]
    assert given[0] <= given[-1] or given
    found = visitor.get("/api/v1/practitioners?q=ho kim hung&facility=77001").json["items"]
    assert "Hồ Kim Hùng" in [item["name"] for item in found]
    assert "phone" not in found[0]
    assert "email" not in found[0]


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("facilities?near=here", "near"),
        ("facilities?near=1000,0", "near"),
        ("facilities?near=nan,nan", "near"),
        ("facilities?limit=0", "limit"),
        ("facilities?limit=x", "limit"),
        ("facilities?care_level=best", "care_level"),
        ("practitioners?limit=101", "limit"),
    ],
)
def test_odd_questions_are_refused_by_field(visitor: FlaskClient, address: str, field: str):
    answer = visitor.get(f"/api/v1/{address}")
    assert answer.status_code == 422
    assert field in answer.json["fields"]


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WzEsMiwzXQ", "WyJhIiwiYiJd"])
@pytest.mark.parametrize("path", ["facilities", "practitioners"])
def test_an_odd_cursor_is_refused(visitor: FlaskClient, path: str, cursor: str):
    assert visitor.get(f"/api/v1/{path}?cursor={cursor}").status_code == 400


def test_text_that_no_column_can_hold_is_a_bad_request(visitor: FlaskClient):
    for address in ("facilities/%00", "facilities?service=%00", "practitioners?facility=%00"):
        answer = visitor.get(f"/api/v1/{address}")
        assert (answer.status_code, answer.json["code"]) == (400, "bad-request"), address


def test_an_unknown_facility_is_not_found(visitor: FlaskClient):
    answer = visitor.get("/api/v1/facilities/nowhere/services", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json["code"]) == (404, "no-such-facility")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Bệnh viện Bà Rịa", "BV Bà Rịa"),
        ("Trung tâm Y tế Vũng Tàu", "TTYT Vũng Tàu"),
        ("Trạm Y tế Phước Tỉnh (Long Điền)", "TYT Phước Tỉnh"),
        ("Trạm Y tế Bến Súc (Côn Đảo)", "TYT Bến Súc (Côn Đảo)"),
        ("Bệnh viện Phục hồi chức năng và Điều trị bệnh nghề nghiệp", "BV Phục hồi chức năng…"),
    ],
)
def test_a_name_is_cut_for_messages(name: str, short: str):
    assert short_name(name) == short
    assert len(unaccented(short)) <= SHORT_NAME == len(LONGEST["facility"]), "what a message leaves room for"
