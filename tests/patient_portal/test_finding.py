"""Looking for a time without being signed in."""

from tests.patient_portal.browser import Browser


def test_services_are_shown_with_plain_words(browser: Browser):
    browser.go("/book")
    assert browser.status == 200
    assert browser.sees("Quý vị cần khám gì?", "Khám nội", "huyết áp")
    assert not browser.sees("Khám đặc biệt")


def test_times_of_all_places_come_by_day(browser: Browser):
    browser.go("/book/times?service=internal")
    assert browser.sees("Thứ Hai, ngày\N{NO-BREAK SPACE}30/11/2026")
    assert browser.sees("Bệnh viện Thử 77001", "Qua video, Bệnh viện Thử 77002")


def test_a_place_is_found_without_marks_and_leads_to_its_times(browser: Browser):
    browser.go("/book/places?service=internal&q=benh vien thu 77002")
    assert browser.sees("Bệnh viện Thử 77002")
    assert not browser.sees("Bệnh viện Thử 77001")
    browser.go(browser.links("facility=77002")[0])
    assert browser.sees("Tại Bệnh viện Thử 77002")


def test_times_can_be_asked_for_from_a_day_and_by_way(browser: Browser):
    browser.go("/book/times?service=internal&modality=video&from=2026-12-01")
    assert not browser.sees("30/11/2026")
    assert browser.sees("01/12/2026") or browser.sees("1/12/2026")
    assert not browser.sees("Bệnh viện Thử 77001")


def test_later_times_follow_the_first_page(browser: Browser):
    browser.go("/book/times?service=internal")
    first = browser.links("/book/slots/")
    browser.go(browser.links("after=")[0])
    assert browser.links("/book/slots/")
    assert not set(first) & set(browser.links("/book/slots/"))


def test_an_odd_address_asks_nothing_or_finds_nothing(browser: Browser):
    for query in (
        "service=';DROP TABLE x;--",
        "service=😀",
        "service=%00",
        "practitioner=nobody",
        "modality=letter",
        "from=someday",
        "from=9999-99-99",
        "after=yesterday",
        "after=2026-11-30T08:00:00",
        "after=2199-11-30T08:00:00%2B00:00",
        "area=nowhere",
        "near=north",
        "near=nan,nan",
        "service=internal&from=2099-01-01",
    ):
        assert browser.go(f"/book/times?{query}").status == 200, query
    assert browser.go("/book/places?q=%00&cursor=x").status == 400


def test_a_facility_that_does_not_exist_is_not_found(browser: Browser):
    assert browser.go("/book/times?facility=nowhere").status == 404
    assert browser.go("/book?facility=nowhere").status == 404


def test_follow_up_asks_to_sign_in_and_still_shows_services(browser: Browser):
    browser.go("/book?kind=follow-up")
    assert browser.sees("Tái khám", "Đăng nhập để xem các lần khám trước", "Khám nội")


def test_distances_are_told_from_an_area_or_from_where_the_phone_is(browser: Browser):
    browser.go("/book/times?service=internal&area=Bà Rịa")
    assert browser.sees("Đang xem: ", "gần Bà Rịa")
    browser.go("/book/times?service=internal&near=10.49,107.17")
    assert browser.sees("gần chỗ quý vị")
