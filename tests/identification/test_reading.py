"""One box for everything: each shape is told apart, and what is broken gets an answer in words."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telehealth.core.ids import CODE_ALPHABET
from telehealth.identification.cards import NAME_SPOILT, IdentityCard, InsuranceCard
from telehealth.identification.numbers import SEX_DIFFERS, YEAR_DIFFERS, masked_name
from telehealth.identification.reading import (
    CARD_CUT,
    LONGEST,
    BookingCode,
    InsuranceNumber,
    NationalNumber,
    OldNationalNumber,
    Passport,
    PhoneNumber,
    Reading,
    Refusal,
    SlipNumber,
    TicketToken,
    Unrecognised,
    VisitToken,
    read,
)
from telehealth.web.localization import has_message

NUMBER = "077152001234"
NAME = "Nguyễn Thị Lan"
ADDRESS = "12 Trần Phú, Phường 1, Vũng Tàu"
CARD = f"{NUMBER}|271234567|{NAME}|05091952|Nữ|{ADDRESS}|10052021"
TOKEN = "q3Zx-9_fGhJkLmNoPqRsTu"


def card(text: str) -> IdentityCard:
    found = read(text)
    assert isinstance(found, IdentityCard)
    return found


@pytest.mark.parametrize(
    "line",
    [
        CARD,
        CARD + "\r\n",
        "]Q3" + CARD,
        "\x02" + CARD + "\x03",
        "\ufeff" + CARD,
        CARD.replace("|", "¦"),
        CARD.replace("|", "｜"),
        CARD.replace("|", "~"),
        CARD.replace("|", "\\"),
        CARD + "|Nguyễn Văn Cha|Trần Thị Mẹ|{}",
        CARD.replace("|271234567|", "||"),
        CARD.replace("|271234567|", "|"),
        CARD.replace("|10052021", ""),
        unicodedata.normalize("NFD", CARD),
        unicodedata.normalize("NFKD", CARD),
        CARD.encode().decode("latin-1"),
        CARD.replace("Nữ", "nỮ"),
    ],
)
def test_a_citizens_card_is_read_however_the_scanner_gives_it(line: str):
    found = card(line)
    assert (found.national_id, found.full_name, found.birth_date, found.sex, found.address) == (
        NUMBER,
        NAME,
        "1952-09-05",
        "female",
        ADDRESS,
    )
    assert found.warnings == ()


def typed_by(scanner: str) -> str:
    """Return the card as a scanner that poses as a keyboard types it."""
    return {
        "drops": "".join(char for char in CARD if char.isascii()),
        "asks": "".join(char if char.isascii() else "?" for char in CARD),
        "boxes": "".join(char if char.isascii() else "\ufffd" for char in CARD),
    }[scanner]


@pytest.mark.parametrize("scanner", ["drops", "asks", "boxes"])
def test_a_keyboard_scanner_that_spoils_letters_leaves_the_number_and_is_found_out(scanner: str):
    found = card(typed_by(scanner))
    assert (found.national_id, found.birth_date, found.sex) == (NUMBER, "1952-09-05", "female")
    assert not found.intact
    assert found.warnings == (NAME_SPOILT,)


def test_bytes_typed_one_by_one_are_put_together_again():
    windows = "".join(
        bytes([byte]).decode("cp1252") if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in CARD.encode()
    )
    assert windows != CARD
    assert card(windows).full_name == NAME


@pytest.mark.parametrize(
    "name", ["Lan Anh", "Y Nam", "TRAN VAN AN", "H'Hen Niê", "K' Tem", "Nguyễn Thị Út Em"]
)
def test_names_without_marks_are_believed(name: str):
    assert card(CARD.replace(NAME, name)).intact


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("1948", "1948"), ("00001948", "1948"), ("01/1948", "1948-01"), ("31022000", None), ("", None)],
)
def test_old_people_may_have_only_a_year(written: str, read_as: str | None):
    assert card(CARD.replace("05091952", written)).birth_date == read_as


def test_a_number_that_does_not_fit_the_person_warns_and_is_taken():
    odd = card(CARD.replace(NUMBER, "077299001234"))
    assert odd.warnings == (SEX_DIFFERS, YEAR_DIFFERS)
    assert odd.national_id == "077299001234"


def hexed(text: str) -> str:
    return text.encode().hex()


OLD_INSURANCE = (
    f"HT3797712345678|{hexed(NAME)}|05/09/1952|2|{hexed(ADDRESS)}|77 - 001|01/01/2021|-|01/01/2021|"
    "77197712345678|-|4|01/01/2015|1a2b3c4d5e-7102|"
)


def test_an_old_insurance_card_is_read():
    found = read(OLD_INSURANCE)
    assert isinstance(found, InsuranceCard)
    assert (found.insurance_no, found.full_name, found.birth_date, found.sex, found.facility_code) == (
        "HT3797712345678",
        NAME,
        "1952-09-05",
        "female",
        "77001",
    )


@pytest.mark.parametrize(
    ("spoilt", "kind"),
    [
        (OLD_INSURANCE.replace(hexed(NAME), hexed(NAME)[:-3]), InsuranceCard),
        (OLD_INSURANCE.replace(hexed(NAME), ""), InsuranceNumber),
        (OLD_INSURANCE.replace("HT3797712345678", "HT379771234"), Unrecognised),
        ("HT3797712345678|", InsuranceNumber),
    ],
)
def test_a_spoilt_insurance_card_still_finds_by_its_number(spoilt: str, kind: type):
    assert isinstance(read(spoilt), kind)


@pytest.mark.parametrize("length", range(14, len(CARD)))
def test_a_card_cut_anywhere_after_its_number_still_finds_by_it(length: int):
    found = read(CARD[:length])
    assert isinstance(found, IdentityCard | NationalNumber)
    number = found.national_id if isinstance(found, IdentityCard) else found.value
    assert number == NUMBER


def test_a_card_cut_short_says_so():
    found = read(f"{NUMBER}|271234567|Ngu")
    assert isinstance(found, NationalNumber)
    assert found.warnings == (CARD_CUT,)


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        (NUMBER, NationalNumber, NUMBER),
        ("077 152 001 234", NationalNumber, NUMBER),
        ("077.152.001.234", NationalNumber, NUMBER),
        ("271234567", OldNationalNumber, "271234567"),
        ("HT3797712345678", InsuranceNumber, "HT3797712345678"),
        ("ht 3 79 7712345678", InsuranceNumber, "HT3797712345678"),
        ("7712345678", InsuranceNumber, "7712345678"),
        ("0123456789", InsuranceNumber, "0123456789"),
        ("0912 345 678", PhoneNumber, "+84912345678"),
        ("0912.345.678", PhoneNumber, "+84912345678"),
        ("84912345678", PhoneNumber, "+84912345678"),
        ("+84 912 345 678", PhoneNumber, "+84912345678"),
        ("0254 3852 111", PhoneNumber, "+842543852111"),
        ("7K2MWXYZ", BookingCode, "7K2MWXYZ"),
        ("7k2m-wxyz", BookingCode, "7K2MWXYZ"),
        ("https://kham.example.vn/appointments/7k2mwxyz?lang=vi", BookingCode, "7K2MWXYZ"),
        (f"https://kham.example.vn/t/{TOKEN}", TicketToken, TOKEN),
        (f"https://kham.example.vn/t/{TOKEN}?lang=en", TicketToken, TOKEN),
        (f"https://kham.example.vn/v/{TOKEN}", VisitToken, TOKEN),
        ("HK26-7K2MWXYZ", SlipNumber, "HK267K2MWXYZ"),
        ("ck26 7k2mwxyz", SlipNumber, "CK267K2MWXYZ"),
        ("B1234567", Passport, "B1234567"),
        ("PA0940443", Passport, "PA0940443"),
    ],
)
def test_numbers_and_codes_are_told_apart(typed: str, kind: type, value: str):
    found = read(typed)
    assert isinstance(found, kind)
    assert found.value == value


def test_what_may_be_two_things_says_both():
    assert read("0812345678") == PhoneNumber("+84812345678", insurance_no="0812345678")
    assert read("C2345678") == BookingCode("C2345678", passport_no="C2345678")


VNEID = (
    f"Số định danh cá nhân: {NUMBER}\nHọ, chữ đệm và tên: NGUYỄN THỊ LAN\n"
    "Ngày sinh: 05/09/1952\nGiới tính: Nữ"
)


@pytest.mark.parametrize(
    "text",
    [
        VNEID,
        unicodedata.normalize("NFD", VNEID),
        VNEID.replace("\n", "; "),
        VNEID.replace("Số định danh cá nhân", "Số CCCD"),
        f'{{"Số CCCD": "{NUMBER}", "Họ và tên": "{NAME}", "Ngày sinh": "05/09/1952", "Giới tính": "Nữ"}}',
    ],
)
def test_what_vneid_shows_in_words_is_a_card(text: str):
    found = card(text)
    assert (found.national_id, found.full_name, found.birth_date, found.sex) == (
        NUMBER,
        NAME,
        "1952-09-05",
        "female",
    )


def test_a_lone_personal_number_in_another_text_is_used():
    assert isinstance(read(f"vneid://citizen/{NUMBER}?v=2"), NationalNumber)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Refusal.EMPTY),
        (" \r\n\t", Refusal.EMPTY),
        ("\x00\x01\x02", Refusal.EMPTY),
        ("x" * (LONGEST + 1), Refusal.TOO_LONG),
        ("|" * 12, Refusal.CARD_UNREADABLE),
        ("77152001234|271234567|Lan|05091952|Nữ|a|b", Refusal.CARD_UNREADABLE),
        ("٠٧٧١٥٢٠٠١٢٣٤||Lan|05091952|Nữ|a|b", Refusal.CARD_UNREADABLE),
        ("'; DROP TABLE patient; --|1|2|3|4|5|6", Refusal.CARD_UNREADABLE),
        ("07715200123", Refusal.NUMBER_LENGTH),
        ("0771520012345", Refusal.NUMBER_LENGTH),
        ("12345", Refusal.NUMBER_LENGTH),
        ("VNEID:9d3a77f0c2", Refusal.VNEID_SEALED),
        ("https://vneid.gov.vn/qr/9d3a77f0c2c1", Refusal.VNEID_SEALED),
        ("https://example.com/?a=1", Refusal.OTHER_ADDRESS),
        ("đ\u0303\u0303ă\u0300âđđăâêô", Refusal.KEYBOARD_LAYOUT),
        ("hello", Refusal.UNKNOWN),
        ("😀😀😀", Refusal.UNKNOWN),
        ("HT9797712345678", Refusal.UNKNOWN),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(text: str, reason: Refusal):
    assert read(text) == Unrecognised(reason)


@pytest.mark.parametrize("reason", Refusal)
@pytest.mark.parametrize("locale", ["vi", "en"])
def test_every_refusal_has_its_words(reason: Refusal, locale: str):
    assert has_message(locale, f"identification-{reason.value}")


FIELDS = st.text(alphabet="0123456789abcdefNữNam ?|¦/-ễạ", max_size=24)


@given(st.one_of(st.text(), st.text(alphabet=f"{CODE_ALPHABET}0123456789|/:?=-_. \r\n", max_size=60)))
@example("\ud800")
@example("77:")
@example("²²²²²²²²²²²²")
def test_no_text_breaks_the_reader(text: str):
    assert isinstance(read(text), Reading)


@given(st.lists(FIELDS, max_size=12), st.sampled_from([NUMBER, "HT3797712345678", "7712345678"]))
def test_no_line_of_fields_breaks_the_reader_nor_loses_the_number(fields: list[str], number: str):
    found = read(number + "|" + "|".join(fields))
    shown = getattr(found, "national_id", None) or getattr(found, "insurance_no", None) or found.value
    assert shown == number


@given(st.binary(max_size=200))
def test_no_bytes_of_a_scanner_break_the_reader(raw: bytes):
    assert isinstance(read(raw.decode("latin-1")), Reading)
    assert isinstance(read(raw.decode(errors="replace")), Reading)


@pytest.mark.parametrize("text", [CARD, NUMBER, "0912345678", OLD_INSURANCE, "7K2MWXYZ"])
def test_what_was_read_shows_nothing_of_itself_in_a_trace(text: str):
    shown = repr(read(text))
    assert not any(part in shown for part in (NUMBER, NAME, "912345678", "7K2MWXYZ", "7712345678"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [(NAME, "N. T. L**"), ("Lan", "L**"), ("Y Ê", "Y. Ê*"), ("Trần Thị Nghiêng", "T. T. N****"), ("", "*")],
)
def test_a_name_is_masked_for_those_who_stand_behind(name: str, shown: str):
    assert masked_name(name) == shown
