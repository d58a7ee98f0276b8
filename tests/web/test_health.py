"""Alive, able to serve, and clear when refusing."""

from flask.testing import FlaskClient


def test_a_running_process_is_alive(client: FlaskClient):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_without_a_worker_it_is_not_ready(client: FlaskClient):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["database"] is True
    assert answer.json["migrations"] is True
    assert answer.json["worker"] is False


def test_an_unknown_api_address_is_a_problem_document(client: FlaskClient):
    answer = client.get("/api/v1/nothing", headers={"Accept-Language": "en"})
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "not-found"
    assert answer.json["detail"].startswith("Not found")


def test_an_unknown_page_answers_in_vietnamese(client: FlaskClient):
    answer = client.get("/khong-co", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Không tìm thấy" in answer.get_data(as_text=True)


def test_metrics_open_only_with_the_operators_token(client: FlaskClient):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    answer = client.get("/metrics", headers={"Authorization": "Bearer metrics"})
    assert answer.status_code == 200
    assert "outbox_ready 0.0" in answer.get_data(as_text=True)


def test_the_api_page_lists_what_the_openapi_document_holds(client: FlaskClient):
    document = client.get("/api/v1/openapi.json").json
    page = client.get("/api/docs").get_data(as_text=True).replace("<wbr>", "")
    assert document["openapi"].startswith("3.1")
    assert all(path in page for path in document["paths"])


def test_what_is_wrong_with_a_field_is_said_in_the_readers_language(client: FlaskClient):
    vietnamese = client.get("/api/v1/slots?limit=0", headers={"Accept-Language": "vi"})
    english = client.get("/api/v1/slots?limit=0", headers={"Accept-Language": "en"})
    assert (vietnamese.status_code, english.status_code) == (422, 422)
    assert vietnamese.json["fields"]["limit"][0].startswith(("Phải từ", "Không được nhỏ"))
    assert english.json["fields"]["limit"][0].startswith("This m")
