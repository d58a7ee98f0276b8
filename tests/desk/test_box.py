"""The one box reads whatever is scanned or typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.desk.forms import PersonForm, read_birth, written
from telehealth.desk.rules import Typed, read_box
from telehealth.identification.cards import IdentityCard, InsuranceCard

CARD = "077152001234|271234567|Nguyễn Thị Lan|05091952|Nữ|12 Trần Phú, Vũng Tàu|10052021"


def test_a_citizens_card_is_read_whole():
    typed = read_box(CARD + "\n")
    assert typed is not None
    assert isinstance(typed.card, IdentityCard)
    assert typed.card.full_name == "Nguyễn Thị Lan"


def test_an_old_insurance_card_is_read_whole():
    name = "Nguyễn Thị Lan".encode().hex()
    typed = read_box(f"HT3797712345678|{name}|05/09/1952|2||77 - 001|01/01/2021")
    assert typed is not None
    assert isinstance(typed.card, InsuranceCard)


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("077152001234", Typed(national_id="077152001234")),
        (" 0771 5200 1234 ", Typed(national_id="077152001234")),
        ("077152001234|", Typed(national_id="077152001234")),
        ("077152001234|2712345", Typed(national_id="077152001234")),
        ("0912 345 678", Typed(phone="+84912345678")),
        ("+84912345678", Typed(phone="+84912345678")),
        ("ht3797712345678", Typed(insurance_no="HT3797712345678")),
        ("7712345678", Typed(insurance_no="7712345678")),
        ("K7M2P9QX", Typed(code="K7M2P9QX")),
        ("k7m2-p9qx", Typed(code="K7M2P9QX")),
        ("lan 1952", Typed(name="lan", birth_date="1952", birth_year=1952)),
        ("Nguyễn Thị Lan", Typed(name="Nguyễn Thị Lan")),
        ("NGUYỄN THỊ LAN", Typed(name="Nguyễn Thị Lan")),
        ("lan 5/9/1952", Typed(name="lan", birth_date="1952-09-05", birth_year=1952)),
        ("lan 0912345678", Typed(name="lan", phone="+84912345678")),
        ("lan 31/02/1952", Typed(name="lan")),
    ],
)
def test_what_is_typed_is_told_apart(line: str, typed: Typed):
    assert read_box(line) == typed


@pytest.mark.parametrize(
    "line", ["", "   ", "|||", "12|34", "|077152001234", "٠٩١٢", "1", "99999", "???", "\x00"]
)
def test_what_means_nothing_is_nothing(line: str):
    assert read_box(line) is None


@given(st.text(max_size=300))
def test_no_text_breaks_the_box(line: str):
    read_box(line)


@given(st.text(alphabet="0123456789/.- |A+", max_size=60))
def test_no_row_of_digits_breaks_the_box(line: str):
    read_box(line)


@pytest.mark.parametrize(
    ("typed", "date"),
    [
        ("05/09/1952", "1952-09-05"),
        ("5-9-1952", "1952-09-05"),
        ("05091952", "1952-09-05"),
        ("9/1952", "1952-09"),
        ("1952", "1952"),
        ("", None),
        ("30/02/1952", None),
        ("năm 1952", None),
        ("1/2/3/4", None),
        ("²⁰²⁶", None),
    ],
)
def test_dates_are_read_as_people_write_them(typed: str, date: str | None):
    assert read_birth(typed) == date
    assert date is None or read_birth(written(date)) == date


def test_a_birth_date_that_cannot_be_read_is_kept_to_be_refused():
    assert PersonForm.read({"birth": "hôm qua"}).new_patient("vi").birth_date == "hôm qua"
