"""The sandbox's ledger: bounded in memory, kept over a restart."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notifications.sandbox.ledger import Entry, Ledger, phone_number

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entry(number: int, at: datetime = NOON, **changed: str) -> Entry:
    made = Entry(
        ref=f"r{number}",
        provider="esms",
        channel="sms",
        to=f"+8491{number % 7}",
        text=f"text {number}",
        at=at.isoformat(),
        key=f"k{number}",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def kept_in(path: Path) -> list[Entry]:
    """What a ledger that starts on this file knows."""
    with closing(Ledger(path)) as ledger:
        return ledger.to()


def test_memory_is_bounded_and_the_tally_is_not() -> None:
    ledger = Ledger(kept=100)
    for number in range(1000):
        ledger.add(entry(number))
    ledger.add(entry(2000, text="text 3", to=entry(3).to, key="k3"))
    assert len(ledger.to()) == 100
    assert ledger.by_ref("r5") is None
    assert ledger.by_key("esms", "k5") is None
    assert ledger.by_key("esms", "k999") is not None
    figures = ledger.tally.figures()
    assert (figures["accepted"], figures["duplicates"], figures["distinct_keys"]) == (1001, 1, 1000)


def test_the_same_text_under_another_key_is_repeated_but_no_duplicate_of_the_send() -> None:
    ledger = Ledger()
    for key in ("a", "b"):
        ledger.add(entry(1, ref=key, key=key))
    figures = ledger.tally.figures()
    assert (figures["duplicates"], figures["repeated_texts"]) == (0, 1)


def test_what_a_person_wrote_is_not_counted() -> None:
    ledger = Ledger()
    ledger.add(replace(entry(1), incoming=True))
    assert ledger.tally.figures()["accepted"] == 0
    assert ledger.latest(9) == []
    assert len(ledger.latest(9, incoming=True)) == 1


def test_the_newest_come_first() -> None:
    ledger = Ledger()
    for number in range(10):
        ledger.add(entry(number))
    assert [found.ref for found in ledger.latest(3)] == ["r9", "r8", "r7"]
    assert [found.ref for found in ledger.latest(3, entry(1).to)] == ["r8", "r1"]


def test_a_restart_keeps_the_last_day_and_at_least_some(tmp_path: Path) -> None:
    busy, quiet = tmp_path / "busy.jsonl", tmp_path / "quiet.jsonl"
    with closing(Ledger(busy)) as ledger:
        for number in range(1200):
            ledger.add(entry(number, NOON - timedelta(minutes=1200 - number) * 2))
    kept = kept_in(busy)
    assert len(kept) == 721
    assert {found.status for found in kept} == {"delivered"}
    assert len(kept_in(busy)) == 721
    with closing(Ledger(quiet)) as ledger:
        for number in range(600):
            ledger.add(entry(number, NOON - timedelta(days=600 - number)))
    assert len(kept_in(quiet)) == 500


def test_a_half_written_line_does_not_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with closing(Ledger(path)) as ledger:
        ledger.add(entry(1))
    with path.open("a") as file:
        file.write('{"ref": "r2", "provi')
    assert [found.ref for found in kept_in(path)] == ["r1"]


def test_an_emptied_ledger_stays_empty_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with closing(Ledger(path)) as ledger:
        ledger.add(entry(1))
        ledger.clear()
        ledger.add(entry(2))
    assert [found.ref for found in kept_in(path)] == ["r2"]


def test_phones_are_the_same_in_every_spelling() -> None:
    spellings = ("0912345678", "84912345678", "+84 912 345 678", "0912.345.678")
    assert {phone_number(spelling) for spelling in spellings} == {"+84912345678"}
