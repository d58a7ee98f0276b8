"""Who has a paper and nobody entered yet says first whose it is, on the same way."""

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import text

from telehealth.core.clock import at_local
from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.queries import SlotQuery, earliest_slots, slot_by_id
from tests.booking.clinic import FACILITIES
from tests.patient_portal.browser import Browser

DAO = {"relation": "self", "full_name": "Nguyễn Thị Đào", "birth__year": "1958", "sex": "female"}
PAPER = {
    "kind": "reexamination",
    "number": "0123/HK",
    "issuer": "Bệnh viện Chợ Rẫy",
    "target": "77001",
    "service": "internal",
    "signed_on__day": "20",
    "signed_on__month": "11",
    "signed_on__year": "2026",
    "appointment_on__day": "1",
    "appointment_on__month": "12",
    "appointment_on__year": "2026",
}


def signed_in(browser: Browser, phone: str) -> Browser:
    browser.go("/sign-in").send("/sign-in", phone=phone)
    return browser.send("/sign-in", code=browser.code())


def people(browser: Browser) -> int:
    with system_unit_of_work(browser.engine) as session:
        return session.execute(text("SELECT count(*) FROM patient")).scalar_one()


def test_a_newcomer_says_whose_the_paper_is_enters_it_and_books(browser: Browser):
    signed_in(browser, "0912345678").go("/my-slips")
    browser.go(browser.links("/my-slips/new")[0])
    assert browser.sees("Giấy này của ai?", "Chỉ cần nhập một lần")
    browser.send()
    assert browser.status == 422
    assert browser.sees("Còn chỗ cần sửa")
    browser.send(**DAO)
    assert browser.address.startswith("/my-slips/new")
    assert browser.sees("Giấy của Nguyễn Thị Đào", "Chép lại những gì ghi trên giấy")
    browser.send(**PAPER)
    assert browser.sees("Giấy hẹn khám lại", "0123/HK")
    browser.go(browser.links("/book/")[0]).send(agree="yes")
    assert browser.address.endswith("/done"), browser.text


def test_the_paper_of_one_more_relative_is_theirs(browser: Browser):
    signed_in(browser, "0912345678").go("/my-slips/new").send(**DAO)
    browser.go(browser.links("/my-slips/person")[0])
    browser.send(relation="my-child", full_name="Trần Văn Bưởi", birth__year="2019", sex="male")
    chosen = browser.text.split('name="who"')
    assert ["checked" in part.split(">", 1)[0] for part in chosen[1:]] == [False, True]


def test_whether_somebody_is_known_elsewhere_is_neither_asked_nor_told(
    new_browser: Callable[[], Browser],
):
    known = {**DAO, "national_id": "079158000123"}
    first, second = new_browser(), new_browser()
    signed_in(first, "0912345678").go("/my-slips/new").send(**known)
    signed_in(second, "0987654321").go("/my-slips/new").send(**known)
    assert (first.status, second.status) == (200, 200)
    assert second.sees("Giấy của Nguyễn Thị Đào")
    assert people(first) == 2


def test_pressed_twice_it_is_one_person(browser: Browser):
    signed_in(browser, "0912345678").go("/my-slips/person")
    browser.send(**DAO).go("/my-slips/person").send(**DAO)
    assert people(browser) == 1


def test_nobody_enters_a_person_without_signing_in(browser: Browser):
    assert browser.go("/my-slips/person").sees("Đăng nhập")
    assert people(browser) == 0


def test_every_time_that_the_paper_allows_can_be_reached_page_by_page(browser: Browser):
    signed_in(browser, "0912345678").go("/my-slips/new").send(**DAO)
    browser.send(**PAPER)
    offered = times_offered(browser)
    query = SlotQuery("internal", FACILITIES["77001"], from_=at_local(date(2026, 12, 1), 0), limit=200)
    with system_unit_of_work(browser.engine) as session:
        free = {slot.start for slot in earliest_slots(session, query, now=browser.clock.now)}
    assert offered < free
    while later := browser.links("?after="):
        offered |= times_offered(browser.go(later[0]))
    assert free <= offered


def times_offered(browser: Browser) -> set[datetime]:
    ids = [link.split("/book/")[1] for link in browser.links("/book/")]
    with system_unit_of_work(browser.engine) as session:
        found = [slot_by_id(session, slot_id, browser.clock.now) for slot_id in ids]
    return {slot.start for slot in found if slot is not None}
