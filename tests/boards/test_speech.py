"""Numbers are read as people say them, and every word that may be said has its clip."""

import itertools
from pathlib import Path

import pytest

import telehealth
from telehealth.boards.codes import Dialect
from telehealth.boards.speech import EDITION, LARGEST, PAUSE, clip_name, english, spoken, vietnamese, words_of
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.places import place_of

CLIPS = Path(telehealth.__file__).parent / "web" / "static" / "voice" / EDITION


@pytest.mark.parametrize(
    ("number", "read"),
    [
        (0, "không"), (1, "một"), (4, "bốn"), (5, "năm"), (10, "mười"), (11, "mười một"), (14, "mười bốn"),
        (15, "mười lăm"), (20, "hai mươi"), (21, "hai mươi mốt"), (24, "hai mươi tư"), (25, "hai mươi lăm"),
        (31, "ba mươi mốt"), (44, "bốn mươi tư"), (55, "năm mươi lăm"), (91, "chín mươi mốt"),
        (100, "một trăm"), (101, "một trăm lẻ một"), (104, "một trăm lẻ bốn"), (105, "một trăm lẻ năm"),
        (110, "một trăm mười"), (111, "một trăm mười một"), (115, "một trăm mười lăm"),
        (121, "một trăm hai mươi mốt"), (505, "năm trăm lẻ năm"), (999, "chín trăm chín mươi chín"),
        (1000, "một ngàn"), (1001, "một ngàn không trăm lẻ một"), (1015, "một ngàn không trăm mười lăm"),
        (1204, "một ngàn hai trăm lẻ bốn"), (21_000, "hai mươi mốt ngàn"),
        (105_021, "một trăm lẻ năm ngàn không trăm hai mươi mốt"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_in_the_south(number: int, read: str):
    assert vietnamese(number) == read


def test_the_north_says_linh_and_nghin():
    assert vietnamese(105, Dialect.NORTH) == "một trăm linh năm"
    assert vietnamese(1004, Dialect.NORTH) == "một nghìn không trăm linh bốn"


def test_no_two_numbers_are_read_alike():
    for reading in (vietnamese, english):
        assert len({reading(number) for number in range(20_000)}) == 20_000


def test_what_follows_a_ten_changes_and_only_there():
    for number in range(1000):
        words = vietnamese(number).split()
        before = dict(itertools.pairwise(words))
        assert ("mốt" in words) == (number % 10 == 1 and number % 100 // 10 > 1)
        assert ("tư" in words) == (number % 10 == 4 and number % 100 // 10 > 1)
        assert ("lăm" in words) == (number % 10 == 5 and number % 100 // 10 > 0)
        assert before.get("mươi", "mốt") not in ("một", "bốn", "năm")


def test_english_reads_it_too():
    assert [english(number) for number in (0, 12, 40, 105, 1015)] == [
        "zero", "twelve", "forty", "one hundred and five", "one thousand and fifteen",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [-1, LARGEST + 1])
def test_beyond_the_largest_there_is_no_reading(number: int):
    with pytest.raises(ValueError, match="no reading"):
        vietnamese(number)
    with pytest.raises(ValueError, match="no reading"):
        english(number)


def test_a_call_names_number_and_place():
    said = spoken("5-024", ServicePointKind.CLINIC, "5")
    words = words_of("vi")
    assert " ".join(words.get(key, key) for key in said["vi"]) == (
        "mời số năm , hai mươi tư , vào phòng khám năm"
    )
    words = words_of("en")
    assert " ".join(words.get(key, key) for key in said["en"]) == (
        "number five , twenty four , please go to room five"
    )
    assert spoken("Đ001", ServicePointKind.PHARMACY, "")["vi"] == [
        "call",
        "dd",
        ",",
        "one",
        ",",
        "to",
        "pharmacy",
    ]


@pytest.mark.parametrize(("folder", "language", "dialect"), [
    ("vi-south", "vi", Dialect.SOUTH), ("vi-north", "vi", Dialect.NORTH), ("en", "en", Dialect.SOUTH),
])  # fmt: skip
def test_every_word_has_its_clip(folder: str, language: str, dialect: Dialect):
    clips = {path.stem for path in (CLIPS / folder).glob("*.mp3")}
    assert clips == {clip_name(key) for key in words_of(language, dialect)}
    for number in (*range(0, 1000, 7), 1204, 21_015):
        for kind in ServicePointKind:
            said = set(spoken(f"A{number}", kind, f"B{number}")[language]) - {PAUSE}
            assert said <= clips


def test_the_clips_stay_small():
    assert sum(path.stat().st_size for path in CLIPS.rglob("*.mp3")) < 600_000


@pytest.mark.parametrize(
    ("kind", "code", "name", "vi", "en"),
    [
        ("clinic", "P012", "Phòng khám Tâm thần 12", "Phòng khám 12", "Room 12"),
        ("clinic", "P005", "Phòng khám HIV", "Phòng khám 5", "Room 5"),
        ("clinic", "P003", "Phòng khám Covid19", "Phòng khám 3", "Room 3"),
        ("clinic", "P001", "Phòng 12A Da liễu", "Phòng khám 12A", "Room 12A"),
        ("clinic", "P001", "Phòng B2.05", "Phòng khám B2.05", "Room B2.05"),
        ("registration", "Q02", "Quầy đăng ký 2", "Quầy đăng ký 2", "Registration desk 2"),
        ("pharmacy", "", "", "Quầy phát thuốc", "Pharmacy"),
    ],
)
def test_a_place_is_named_by_what_is_done_there_and_its_number(
    kind: str, code: str, name: str, vi: str, en: str
):
    place = place_of(ServicePointKind(kind), code, name)
    assert (place.vi, place.en) == (vi, en)
