"""The pages as an app on the home screen, and without a network."""

import json
import re

from flask.testing import FlaskClient

from telehealth.web.assets import DIST


def shell_of(script: str) -> dict[str, object]:
    first = script.partition(";\n")[0].removeprefix("const SHELL = ")
    shell: dict[str, object] = json.loads(first)
    return shell


def test_the_manifest_names_the_app_and_pictures_that_are_there(client: FlaskClient) -> None:
    answer = client.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    manifest = json.loads(answer.data)
    assert (manifest["short_name"], manifest["lang"], manifest["display"]) == (
        "Y tế gần bạn",
        "vi",
        "standalone",
    )
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        (size, purpose) for size in ("192x192", "512x512") for purpose in ("any", "maskable")
    }
    for icon in manifest["icons"]:
        picture = client.get(icon["src"], buffered=True)
        side = int(icon["sizes"].partition("x")[0])
        assert picture.mimetype == "image/png"
        assert picture.data[16:24] == side.to_bytes(4, "big") * 2
    assert all(client.get(each["url"]).status_code in (200, 302) for each in manifest["shortcuts"])


def test_patients_pages_name_the_manifest_and_full_screens_do_not(client: FlaskClient) -> None:
    assert 'rel="manifest" href="/manifest.webmanifest"' in client.get("/").text
    assert 'rel="manifest"' not in client.get("/offline").text


def test_the_service_worker_rules_the_whole_site_from_the_root_and_is_asked_about_each_time(
    client: FlaskClient,
) -> None:
    answer = client.get("/sw.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    again = client.get("/sw.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_the_service_worker_is_one_classic_script(client: FlaskClient) -> None:
    assert not re.search(r"\b(import|export)\b[\s{\"'*]", client.get("/sw.js").text)


def test_a_service_worker_keeps_only_what_is_the_same_for_everybody(client: FlaskClient) -> None:
    files = shell_of(client.get("/sw.js").text)["files"]
    assert isinstance(files, list)
    assert [file for file in files if not file.startswith("/static/dist/")] == ["/offline"]
    assert all((DIST / file.rpartition("/")[2]).is_file() for file in files[1:])


def test_the_page_for_no_network_knows_nobody_speaks_vietnamese_and_leads_to_a_telephone(
    client: FlaskClient,
) -> None:
    client.get("/en")
    answer = client.get("/offline")
    assert "Set-Cookie" not in answer.headers
    assert 'name="csrf-token" content=""' in answer.text
    assert '<html lang="vi">' in answer.text
    assert "Chưa có mạng" in answer.text
    assert 'href="tel:115"' in answer.text
    assert 'href="tel:19009095"' in answer.text
    linked = re.findall(r'"(/static/dist/[^"]+)"', answer.text)
    assert set(linked) <= set(shell_of(client.get("/sw.js").text)["files"])  # type: ignore[call-overload]


def test_a_reader_of_english_has_the_same_service_worker(client: FlaskClient) -> None:
    vietnamese = client.get("/sw.js").data
    client.get("/en")
    assert client.get("/sw.js").data == vietnamese
