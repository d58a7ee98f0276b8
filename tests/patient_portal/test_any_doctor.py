"""“Bác sĩ nào cũng được” on the patient's pages: one tap, and the name as soon as the place is kept."""

from collections.abc import Callable

from sqlalchemy import text

from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, TUESDAY
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser
from tests.patient_portal.test_booking_without_scripts import ME, appointments, signed_in

TIMES = f"/book/times?service=internal&facility=77001&modality=in-person&from={TUESDAY}"


def soonest(browser: Browser) -> Browser:
    """Take the first thing that the page of times offers."""
    return browser.go(browser.go(TIMES).links("/book/slots/")[0])


def doctors(browser: Browser) -> list[str]:
    """Return whose places are held or booked, in the order they were taken."""
    names = {identifier: name for name, identifier in DOCTORS.items()}
    with system_unit_of_work(browser.engine) as session:
        rows = session.execute(
            text(
                """SELECT practitioner_id FROM appointment WHERE status IN ('held', 'booked')
                    ORDER BY created_at, id"""
            )
        )
        return [names[row.practitioner_id] for row in rows]


def test_any_doctor_is_the_first_choice_and_one_tap_away(browser: Browser):
    browser.go(TIMES)
    assert browser.sees("Bác sĩ nào cũng được", "Giờ sớm nhất:", "Chọn giờ này")
    assert browser.links("/book/slots/")[0].endswith("any~77001~internal~in-person~20261201T0800")


def test_each_start_of_several_doctors_is_offered_once(browser: Browser):
    offered = [link for link in browser.go(TIMES).links("/book/slots/any") if "20261201" in link][1:]
    assert len(offered) == len(set(offered))
    assert [link[-4:] for link in offered[:4]] == ["0800", "0810", "0815", "0820"]


def test_with_a_doctor_chosen_nobody_else_is_offered_but_a_link_takes_that_back(browser: Browser):
    browser.go(f"{TIMES}&practitioner={DOCTORS['an']}")
    assert not browser.links("/book/slots/any")
    back = [link for link in browser.links("/book/times?") if "practitioner" not in link and "77001" in link]
    assert browser.go(back[0]).links("/book/slots/any")


def test_the_name_is_shown_as_soon_as_the_place_is_kept_and_until_it_is_booked(browser: Browser):
    soonest(browser)
    assert browser.sees("Bác sĩ nào cũng được. Giữ chỗ xong, quý vị biết ngay tên bác sĩ.")
    signed_in(browser)
    name = {"an": "BS Bác sĩ an", "binh": "BS Bác sĩ binh"}[doctors(browser)[0]]
    assert browser.sees(f"{name} sẽ khám cho quý vị", "Thông tin người được khám")
    browser.send(**ME)
    browser.send(coverage_basis="registered-here")
    assert browser.sees("Xem lại trước khi đặt", name)
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong", name)
    assert appointments(browser) == [("booked", "registered-here")]


def test_in_english_it_reads_as_well(browser: Browser):
    browser.go("/en").go(TIMES)
    assert browser.sees("Any available doctor", "Choose this time")
    soonest(browser)
    assert browser.sees("You will see the name as soon as your place is kept.")


def test_as_many_people_as_there_are_places_get_the_same_time_and_then_it_is_said(
    new_browser: Callable[[], Browser],
):
    people = [new_browser() for _ in range(4)]
    chosen = soonest(people[0]).address
    people[3].go(chosen)
    for number, person in enumerate(people[:3]):
        signed_in(person.go(chosen), f"091234567{number}")
    assert sorted(doctors(people[0])) == ["an", "binh", "binh"]
    people[3].send(phone="0912345673")
    assert people[3].status == 409
    assert people[3].sees("Giờ này không còn chỗ", "Những giờ trống gần nhất", "Bác sĩ nào cũng được")
    others = people[3].links("/book/slots/any")
    assert len(others) == 3
    signed_in(people[3].go(others[0]), "0912345673")
    assert people[3].sees("sẽ khám cho quý vị")


def test_pressed_twice_one_place_is_held(browser: Browser):
    chosen = soonest(browser).address
    signed_in(browser)
    held = browser.address
    browser.go(chosen).send()
    assert browser.address == held
    assert len(doctors(browser)) == 1


def test_choosing_another_time_gives_the_first_place_back(browser: Browser):
    soonest(browser)
    signed_in(browser)
    browser.go(browser.go(TIMES).links("/book/slots/any")[5]).send()
    assert browser.sees("sẽ khám cho quý vị")
    assert len(doctors(browser)) == 1


def test_whose_hold_has_run_out_gets_another_doctor_at_the_same_time_and_is_told(
    new_browser: Callable[[], Browser], clock: MovableClock, set_database_clock: Callable[..., None]
):
    slow = new_browser()
    signed_in(soonest(slow))
    slow.send(**ME)
    slow.send(coverage_basis="registered-here")
    first = doctors(slow)[0]
    clock.forward(minutes=20)
    set_database_clock(clock())
    for number in range({"an": 1, "binh": 2}[first]):
        quick = new_browser()
        mine = f"{TIMES}&practitioner={DOCTORS[first]}"
        quick.go(quick.go(mine).links("/book/slots/")[0])
        signed_in(quick, f"098765432{number}")
    slow.send(agree="yes")
    other = {"an": "binh", "binh": "an"}[first]
    assert slow.sees("vừa hết chỗ", f"Cùng giờ đó, BS Bác sĩ {other} sẽ khám cho quý vị")
    slow.send(agree="yes")
    assert slow.sees("Đã đặt lịch xong", f"BS Bác sĩ {other}")


def test_an_odd_choice_is_not_found(browser: Browser):
    for odd in (
        "any",
        "any~77001~internal~in-person",
        "any~77001~internal~letter~20261201T0800",
        "any~77001~internal~in-person~someday",
        "any~77001~internal~in-person~99991231T2359",
        "any~77001~internal~in-person~00010101T0000",
        "any~nowhere~internal~in-person~20261201T0800",
        "any~%F0%9F%98%80~x~video~20261201T0800",
    ):
        assert browser.go(f"/book/slots/{odd}").status == 404, odd
    assert browser.go("/book/slots/any~77001~internal~in-person~20261201T0303").status == 409
    assert browser.go("/book/slots/any~77001~nothing~in-person~20261201T0800").status == 409
