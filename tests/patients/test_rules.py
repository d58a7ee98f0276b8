"""Cards of every shape, numbers, ages, names."""

from datetime import date

import pytest

from telehealth.patients.rules import age_on, birth_date_fault, is_child

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("1952", None),
        ("1952-09", None),
        ("1952-09-05", None),
        ("1952-13", "patients-birth-date-wrong"),
        ("2026-02-29", "patients-birth-date-wrong"),
        ("05/09/1952", "patients-birth-date-wrong"),
        ("2026-12-01", "patients-birth-date-future"),
        ("2026-11-30", None),
        ("1890", "patients-birth-date-too-old"),
    ],
)
def test_birth_dates(written: str, fault: str | None):
    assert birth_date_fault(written, TODAY) == fault


def test_ages():
    assert age_on("2020-12-01", TODAY) == 5
    assert age_on("2020-11-30", TODAY) == 6
    assert age_on("1951", TODAY) == 75
    assert age_on(None, TODAY) is None
    assert is_child("2021", TODAY)
    assert not is_child("2010-11-30", TODAY)
