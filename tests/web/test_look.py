"""The frame that every page stands in, and the files that dress it."""

import gzip
import json
import re
from dataclasses import replace

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from telehealth.app import create_app
from telehealth.settings import Settings
from telehealth.web.assets import DIST

FIRST_PAGE_LIMIT = 100_000
WHAT_PEOPLE_COME_FOR = [
    "Đặt lịch khám",
    "Tái khám",
    "Lịch của tôi",
    "Lấy số hôm nay",
    "Gọi tổng đài",
    "Cấp cứu: 115",
]


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return answer.text


def fetch(client: FlaskClient, path: str, encoding: str) -> TestResponse:
    return client.get(path, headers={"Accept-Encoding": encoding}, buffered=True)


def test_the_home_page_offers_five_doors_without_signing_in(client: FlaskClient) -> None:
    doors = re.findall(r'th-door__title">([^<]+)<', page(client, "/"))
    assert doors == WHAT_PEOPLE_COME_FOR


def test_help_is_a_telephone_link_on_every_public_page(client: FlaskClient) -> None:
    for path, status in (("/", 200), ("/privacy", 200), ("/accessibility", 200), ("/nowhere", 404)):
        text = page(client, path, status)
        assert 'href="tel:115"' in text
        assert 'href="tel:19009095"' in text


def test_the_language_is_chosen_once_and_leads_back(client: FlaskClient) -> None:
    assert '<html lang="vi">' in page(client, "/privacy")
    answer = client.get("/en?next=/privacy")
    assert answer.headers["Location"] == "/privacy"
    text = page(client, "/privacy")
    assert '<html lang="en">' in text
    assert "How your information is protected" in text
    assert "/vi?next=/privacy" in text


def test_pages_carry_nothing_that_the_content_security_policy_refuses(client: FlaskClient) -> None:
    for path in ("/", "/privacy", "/accessibility", "/styleguide"):
        text = page(client, path)
        assert " style=" not in text
        assert not re.search(r"<script(?![^>]* src=)", text)
        assert not re.search(r'(?:src|href)="https?:', text)


def test_the_first_page_weighs_less_than_100_kilobytes_on_the_wire(client: FlaskClient) -> None:
    html = client.get("/")
    linked = set(re.findall(r'"(/static/[^"]+)"', html.text))
    for sheet in [name for name in linked if name.endswith(".css")]:
        css = fetch(client, sheet, "identity").text
        linked |= {f"/static/dist/{name}" for name in re.findall(r"url\(\./([^)]+\.woff2)\)", css)}
    fetched = [fetch(client, name, "gzip") for name in sorted(linked)]
    assert all(answer.status_code == 200 for answer in fetched)
    assert sum(name.endswith(".woff2") for name in linked) == 3
    assert len(html.data) + sum(len(answer.data) for answer in fetched) < FIRST_PAGE_LIMIT


def test_built_files_come_compressed_and_stay_for_ever(client: FlaskClient) -> None:
    name = json.loads((DIST / "manifest.json").read_text())["styles/main.scss"]["file"]
    packed = fetch(client, f"/static/dist/{name}", "gzip, br")
    plain = fetch(client, f"/static/dist/{name}", "identity")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.mimetype == plain.mimetype == "text/css"
    assert gzip.decompress(packed.data) == plain.data
    for answer in (packed, plain):
        assert "immutable" in answer.headers["Cache-Control"]
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_path_out_of_the_built_files_leads_nowhere(client: FlaskClient) -> None:
    for path in ("../../../settings.py", "%2e%2e/%2e%2e/assets.py", "none.css"):
        assert client.get(f"/static/dist/{path}").status_code == 404


def test_every_built_file_is_there_and_its_compressed_copy_says_the_same() -> None:
    manifest = json.loads((DIST / "manifest.json").read_text())
    assert all((DIST / entry["file"]).is_file() for entry in manifest.values())
    packed = sorted(DIST.glob("*.gz"))
    assert packed
    assert all(gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes() for path in packed)


def test_a_stylesheet_names_only_pictures_and_fonts_that_were_built() -> None:
    for sheet in DIST.glob("*.css"):
        for name in re.findall(r"url\((?!data:)[\"']?([^)\"']+)", sheet.read_text()):
            assert (DIST / name).is_file(), (sheet.name, name)


def test_the_styleguide_exists_in_the_demo_only(client: FlaskClient, settings: Settings) -> None:
    assert "th-choice" in page(client, "/styleguide")
    real = create_app(replace(settings, demo=False))
    assert real.test_client().get("/styleguide").status_code == 404


def test_an_error_is_a_page_with_a_way_back(client: FlaskClient, app: Flask) -> None:
    text = page(client, "/nowhere", 404)
    assert "Không tìm thấy trang" in text
    assert re.search(r'class="nhsuk-button[^"]*" href="/"', text)
