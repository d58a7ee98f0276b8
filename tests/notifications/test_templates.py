"""What the messages say, and how long they are."""

import dataclasses
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest

from notifications.kinds import KINDS, LANGUAGES
from notifications.templates import CATALOGUE, Catalogue, PushTemplate, fill, parsed
from notifications.templates.lint import problems
from notifications.templates.segments import measure, unaccented
from notifications.wording import date_text, time_text
from tests.notifications.conftest import SAMPLE

VIETNAMESE = (
    "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
    "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬĐÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴ"
)
PLAIN = (
    "a" * 17 + "d" + "e" * 11 + "i" * 5 + "o" * 17 + "u" * 11 + "y" * 5
    + "A" * 17 + "D" + "E" * 11 + "I" * 5 + "O" * 17 + "U" * 11 + "Y" * 5
)  # fmt: skip


def test_every_text_keeps_to_the_rules() -> None:
    assert problems(CATALOGUE) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("{facility}: Lịch khám Ung bướu {time} {date}, mã {code}. {link}", "tells too much"),
        ("{facility}: Lịch khám {time} {date}, mã {code}.", "instead of"),
        ("{facility}: " + "lịch khám " * 12 + "{time} {date} {code} {link}", "segments"),
        (unicodedata.normalize("NFD", "{facility}: Đã đặt {time} {date} {code} {link}"), "not NFC"),
    ],
)
def test_the_rules_bite(change: str, complaint: str) -> None:
    spoilt = Catalogue(
        dataclasses.replace(template, sms=change)
        if (template.kind, template.language) == ("appointment-booked", "vi")
        else template
        for template in CATALOGUE
    )
    assert any(complaint in problem for problem in problems(spoilt))


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        ("Lịch khám {code} đã đặt", "locked screen"),
        ("Lịch khám", None),
        ("Hẹn", "9 to 78"),
        ("Lịch khám Ung bướu", "tells too much"),
    ],
)
def test_a_mails_own_words_keep_to_the_rules_too(subject: str, complaint: str | None) -> None:
    changed = Catalogue(
        dataclasses.replace(template, email=(subject, template.zalo.paragraphs)) for template in CATALOGUE
    )
    found = problems(changed)
    assert any(complaint in problem for problem in found) if complaint else found == []


def test_a_mail_says_what_zalo_says_unless_it_has_words_of_its_own() -> None:
    template = CATALOGUE.template("appointment-booked", "vi")
    assert template.email_words.texts() == template.zalo.texts()
    own = dataclasses.replace(template, email=("Lịch khám của bạn", ("Đã đặt xong lịch khám.",)))
    assert own.email_words.subject == "Lịch khám của bạn"
    assert own.email_words.rows == template.zalo.rows


def test_all_134_accented_letters_have_their_plain_form_composed_or_not() -> None:
    assert len(VIETNAMESE) == 134
    assert unaccented(VIETNAMESE) == PLAIN
    assert unaccented(unicodedata.normalize("NFD", VIETNAMESE)) == PLAIN


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("[" * 80, "GSM-7", 1),
        ("[" * 81, "GSM-7", 2),
        ("ạ" * 70, "UCS-2", 1),
        ("ạ" * 71, "UCS-2", 2),
        ("ạ" * 135, "UCS-2", 3),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
    ],
)
def test_segments_are_counted_as_the_networks_count_them(text: str, encoding: str, segments: int) -> None:
    size = measure(text)
    assert (size.encoding, size.segments) == (encoding, segments)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_one_plain_segment_in_every_language(kind: str, language: str) -> None:
    text = CATALOGUE.template(kind, language).sms_text(SAMPLE)
    assert measure(text).segments == 1
    assert text.isascii()


def test_a_value_is_never_read_as_a_template_and_never_breaks_the_line() -> None:
    params = {"room": "{code}\n\u202ePhòng\t9\x00", "code": "SECRET"}
    assert fill("Tới {room}.", params) == "Tới {code} Phòng 9."


def test_the_booking_message_reads_as_a_person_would_write_it() -> None:
    template = CATALOGUE.template("appointment-booked", "vi")
    assert template.sms_text(SAMPLE, accented=True) == (
        "BV Bà Rịa: Đã đặt lịch khám 08:30 thứ Ba 24/11, mã 482913. "
        "Xác nhận hoặc hủy: http://127.0.0.1:8000/j/abc"
    )
    assert template.sms_text(SAMPLE) == (
        "BV Ba Ria: Da dat lich kham 08:30 thu Ba 24/11, ma 482913. "
        "Xac nhan hoac huy: http://127.0.0.1:8000/j/abc"
    )


def test_local_times_read_as_people_say_them() -> None:
    instant = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)  # 01:30 the next morning in the province
    assert time_text(instant) == "01:30"
    assert date_text(instant, "vi") == "thứ Ba 24/11"
    assert date_text(instant, "en") == "Tue 24 Nov"
    assert date_text(instant - timedelta(days=2), "vi") == "Chủ Nhật 22/11"


def test_what_a_phone_shows_is_accented_and_leaves_the_link_behind_the_tap() -> None:
    booked = CATALOGUE.template("appointment-booked", "vi").push
    assert fill(booked.body, SAMPLE).startswith("BV Bà Rịa, 08:30 thứ Ba 24/11.")
    code = CATALOGUE.template("otp", "vi")
    assert (code.push.title, code.push.body) == (code.zalo.title, code.sms), "made of the others by default"


@pytest.mark.parametrize(
    ("sms", "body"),
    [
        (
            "{facility}: Lịch khám {time} {date}. Xem hoặc đổi lịch: {link}",
            "{facility}: Lịch khám {time} {date}.",
        ),
        ("{facility}: Mời đổi lịch. Nhận: {link}. Cảm ơn!", "{facility}: Mời đổi lịch. Cảm ơn!"),
        ("{facility}: Xem {link}", "Lịch khám của quý vị."),
        ("Sắp đến lượt số {number}.", "Sắp đến lượt số {number}."),
    ],
)
def test_where_no_push_text_is_written_the_short_message_without_its_link_serves(sms: str, body: str) -> None:
    zalo = {"template_id": "1", "title": "Lịch khám", "paragraphs": ["Lịch khám của quý vị."]}
    source = {"version": 1, "sms": sms, "zalo": zalo}
    assert parsed("x", "vi", source).push == PushTemplate("Lịch khám", body)


def test_no_two_texts_are_registered_as_one_with_zalo() -> None:
    moved, booked = (CATALOGUE.template(f"appointment-{name}", "vi") for name in ("moved", "booked"))
    confused = dataclasses.replace(
        moved, zalo=dataclasses.replace(moved.zalo, template_id=booked.zalo.template_id)
    )
    spoilt = Catalogue(confused if template is moved else template for template in CATALOGUE)
    assert f"Zalo knows two texts as {booked.zalo.template_id}" in problems(spoilt)
