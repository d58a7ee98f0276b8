"""Figures that follow from rows of tickets alone, by definitions that a reader can check."""

import csv
import io
from datetime import date, timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from telehealth.boards.charts import LABELS, wait_chart
from telehealth.boards.figures import Figures
from telehealth.core.clock import at_local, business_date
from telehealth.queueing.models import Ticket
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller, Hospital

API = "/api/v1/facilities/77001/queue-figures"
TODAY = business_date(MONDAY_8AM)
FRIDAY = TODAY - timedelta(days=3)


def ticket(hospital: Hospital, number: int, day: date, minute: int, waited: int | None, status: str, **more):
    """A number given at a minute of a day; `waited` minutes until the last call, None if never called."""
    given = at_local(day, minute)
    called = None if waited is None else given + timedelta(minutes=waited)
    queue = hospital.queue(more.pop("queue", "P001"))
    with hospital.begin() as session:
        session.add(
            Ticket(
                id=uuid4(), queue_id=queue, facility_id=hospital.id, business_date=day, number=number,
                public_token_hash=uuid4().bytes, status=status, issued_at=given, called_at=called,
                waiting_since=more.pop("waiting_since", given), **more,
            )
        )  # fmt: skip


@pytest.fixture
def week(hospital: Hospital) -> None:
    """Friday: ten called after 10 to 100 minutes, of whom two did not come; two never called, one gone."""
    for place in range(10):
        status = "missed" if place in (3, 7) else "done"
        ticket(hospital, place + 1, FRIDAY, 420 + place, (place + 1) * 10, status)
    ticket(hospital, 11, FRIDAY, 540, None, "waiting")
    ticket(hospital, 12, FRIDAY, 541, None, "parked")
    ticket(hospital, 13, FRIDAY, 542, None, "cancelled")
    ticket(hospital, 14, FRIDAY, 543, None, "done")  # sent on to another queue before a call
    ticket(hospital, 1, TODAY, 421, None, "waiting")
    ticket(hospital, 2, TODAY, 422, 5, "serving")


def figures(admin: Caller, **asked: object) -> dict:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = admin.get(f"{API}?{query}")
    assert answer.status_code == 200, answer.json
    return answer.json


def test_waits_no_shows_and_those_who_left_are_counted_as_defined(admin: Caller, week: None):
    found = figures(admin, **{"from": FRIDAY, "to": FRIDAY})
    assert found["total"] == {
        "key": None, "issued": 14, "called": 10, "served": 8, "missed": 2, "abandoned": 3, "moved": 1,
        "open": 0, "median_minutes": 55, "p85_minutes": 86,
    }  # fmt: skip
    assert [(each["key"], each["issued"]) for each in found["items"]] == [("07:00", 10), ("09:00", 4)]


def test_who_still_waits_today_has_not_left(admin: Caller, week: None):
    total = figures(admin)["total"]
    assert (total["issued"], total["open"], total["abandoned"], total["served"]) == (2, 1, 0, 1)


def test_every_ticket_stands_in_one_column(admin: Caller, week: None):
    for by in ("hour", "day", "queue", "room"):
        found = figures(admin, by=by, **{"from": FRIDAY, "to": TODAY})
        for each in (found["total"], *found["items"]):
            parts = ("served", "missed", "abandoned", "moved", "open")
            assert sum(each[part] for part in parts) == each["issued"]
        assert sum(each["issued"] for each in found["items"]) == 16


def test_time_in_another_queue_counts_there(admin: Caller, hospital: Hospital):
    ticket(hospital, 1, FRIDAY, 600, 10, "done", waiting_since=at_local(FRIDAY, 420))
    assert figures(admin, **{"from": FRIDAY, "to": FRIDAY})["total"]["median_minutes"] == 10


@pytest.mark.parametrize(
    "asked", ["from=2026-11-30&to=2026-11-29", "from=2026-01-01&to=2026-11-30", "by=face"]
)
def test_odd_questions_are_refused(admin: Caller, asked: str):
    assert admin.get(f"{API}?{asked}").status_code == 422


def test_the_page_draws_charts_and_says_the_same_in_tables(signed_in: FlaskClient, week: None):
    page = signed_in.get(f"/hall/figures?from={FRIDAY}&to={TODAY}").get_data(as_text=True)
    assert page.count('<svg class="th-chart"') == 4
    for text in ("Theo giờ vào hàng", "Theo ngày", "Phòng khám 1", "Chưa được gọi", "07:00"):
        assert text in page
    empty = signed_in.get("/hall/figures?from=2026-01-01&to=2026-01-02").get_data(as_text=True)
    assert "Chưa có số nào" in empty
    assert signed_in.get("/hall/figures?from=x").status_code == 422


def test_the_figures_are_taken_along_by_day_hour_queue_and_room(
    admin: Caller, other_admin: Caller, week: None, client: FlaskClient
):
    path = f"/api/v1/exports/queues?facility=77001&from={FRIDAY}&to={TODAY}"
    raw = admin.get(path).data
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [(row["date"], row["hour"], row["numbers"], row["median_minutes"]) for row in rows] == [
        (str(FRIDAY), "7", "10", "55"), (str(FRIDAY), "9", "4", ""), (str(TODAY), "7", "2", "5"),
    ]  # fmt: skip
    assert other_admin.get(path).status_code == 403
    assert admin.get(path + "&format=xlsx").data[:2] == b"PK"


def test_a_chart_never_runs_over_its_edge_and_needs_somebody_called():
    def of(median: int | None, p85: int | None) -> Figures:
        return Figures("x", 1, 1, 1, 0, 0, 0, 0, median, p85)

    assert wait_chart([("nobody", of(None, None))]) is None
    for most in (0, 1, 7, 59, 90, 600):
        chart = wait_chart([("a", of(most // 2, most)), ("b", of(0, 0)), ("c", of(None, None))])
        assert chart is not None
        assert len(chart.bars) == 2
        assert all(bar.median <= bar.p85 <= chart.width - LABELS - 100 for bar in chart.bars)
        assert len(chart.ticks) <= 7
