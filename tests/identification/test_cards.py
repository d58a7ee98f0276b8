"""Cards of every shape, and their numbers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.identification.cards import (
    IdentityCard,
    InsuranceCard,
    parse_identity_qr,
    parse_insurance_qr,
    parse_scan,
)
from telehealth.identification.numbers import (
    card_date,
    clean_name,
    insurance_number,
    masked,
    national_id_warnings,
    valid_national_id,
)

CARD = "077152001234|271234567|Nguyễn Thị Lan|05091952|Nữ|12 Trần Phú, Phường 1, Vũng Tàu|10052021"
LAN = IdentityCard(
    national_id="077152001234",
    old_national_id="271234567",
    full_name="Nguyễn Thị Lan",
    birth_date="1952-09-05",
    sex="female",
    address="12 Trần Phú, Phường 1, Vũng Tàu",
)


def hexed(text: str) -> str:
    return text.encode().hex()


def test_a_card_of_seven_fields_is_read():
    assert parse_identity_qr(CARD) == LAN


@pytest.mark.parametrize(
    "line",
    [
        CARD + "\r\n",
        "  " + CARD,
        CARD + "|extra|fields|of newer cards",
        CARD.replace("|10052021", ""),
        unicodedata.normalize("NFD", CARD),
        CARD.replace("Nguyễn Thị Lan", "NGUYỄN  THỊ   LAN"),
        CARD.replace("05091952", "05/09/1952"),
    ],
)
def test_odd_but_whole_cards_say_the_same(line: str):
    assert parse_identity_qr(line) == LAN


def test_a_card_without_the_old_number_is_read_in_both_ways_of_writing():
    empty = parse_identity_qr(CARD.replace("271234567", ""))
    left_out = parse_identity_qr(CARD.replace("271234567|", ""))
    assert empty == left_out
    assert empty is not None
    assert (empty.old_national_id, empty.full_name, empty.sex) == (None, "Nguyễn Thị Lan", "female")


@pytest.mark.parametrize(
    ("written", "read"),
    [("1948", "1948"), ("00001948", "1948"), ("091948", "1948-09"), ("31022000", None), ("", None)],
)
def test_birth_dates_of_old_people_may_be_only_a_year(written: str, read: str | None):
    card = parse_identity_qr(CARD.replace("05091952", written))
    assert card is not None
    assert card.birth_date == read


@pytest.mark.parametrize(
    "line",
    [
        "",
        "|",
        "||||||",
        "hello",
        "07715200123|271234567|Lan|05091952|Nữ|a|b",
        "0771520012345|271234567|Lan|05091952|Nữ|a|b",
        "٠٧٧١٥٢٠٠١٢٣٤||Lan|05091952|Nữ|a|b",
        "077152001234|271234567",
        "077152001234|||||||",
        "077152001234||   |05091952|Nữ|a|b",
        "K7M2P9QX",
        "https://example.vn/?a=1|2|3|4|5|6",
        "'; DROP TABLE patient; --|1|2|3|4|5|6",
        "\x00\x01\x02",
        "😀" * 50,
        "a" * 5000,
        "|" * 5000,
    ],
)
def test_what_is_no_card_is_read_as_nothing(line: str):
    assert parse_scan(line) is None


def test_an_old_insurance_card_writes_its_name_as_hexadecimal():
    name, address = hexed("Nguyễn Thị Lan"), hexed("12 Trần Phú")
    line = f"HT3797712345678|{name}|05/09/1952|2|{address}|77 - 001|01/01/2021|-|x|y"
    assert parse_scan(line) == InsuranceCard(
        insurance_no="HT3797712345678",
        full_name="Nguyễn Thị Lan",
        birth_date="1952-09-05",
        sex="female",
        address="12 Trần Phú",
        facility_code="77001",
    )


@pytest.mark.parametrize("name", ["ff", "c3", "zz", ""])
def test_a_spoilt_name_makes_no_card_or_stays_text(name: str):
    card = parse_insurance_qr(f"HT3797712345678|{name}|1952|1||")
    assert card is None or card.full_name == name


@given(st.text())
def test_no_text_breaks_the_reader(text: str):
    parse_scan(text)


@given(st.lists(st.text(alphabet="0123456789abcdefNữ/ ", max_size=20), max_size=12))
def test_no_line_of_fields_breaks_the_reader(fields: list[str]):
    parse_scan("077152001234|" + "|".join(fields))
    parse_scan("HT3797712345678|" + "|".join(fields))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("HT3797712345678", "HT3797712345678"),
        ("ht 3 79 7712345678", "HT3797712345678"),
        ("7712345678", "7712345678"),
        ("077152001234", "077152001234"),
        ("HT9797712345678", None),
        ("123", None),
        ("", None),
        ("HT37977123456789", None),
    ],
)
def test_insurance_numbers_have_15_10_or_12_characters(typed: str, kept: str | None):
    assert insurance_number(typed) == kept


def test_a_personal_number_warns_about_sex_and_year():
    assert valid_national_id("077152001234")
    assert national_id_warnings("077152001234", "female", "1952-09-05") == []
    assert national_id_warnings("077252001234", "female", "1952") == [
        "identification-sex-differs",
        "identification-year-differs",
    ]
    assert national_id_warnings("077221001234", "male", "2021") == []
    assert national_id_warnings("077321001234", "female", "2021") == []
    assert national_id_warnings("077152001234", "unknown", None) == []


def test_names_are_written_as_people_write_them():
    assert clean_name("  NGUYỄN   THỊ HOÀ ") == "Nguyễn Thị Hoà"
    assert clean_name("Y Êban H'Hen") == "Y Êban H'Hen"


def test_numbers_are_masked_but_for_their_end():
    assert masked("077152001234") == "••••••••1234"
    assert masked(None) is None
    assert card_date("x") is None
