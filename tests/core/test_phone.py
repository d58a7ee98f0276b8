"""Numbers are grouped where people read them."""

import pytest

from telehealth.core.phone import display_phone


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("+84912345678", "0912 345 678"),
        ("+4915123456789", "+49 1512 3456789"),
        ("19009095", "1900 9095"),
        ("1900 9095", "1900 9095"),
        ("02543812345", "0254 3812 345"),
        ("115", "115"),
        ("", ""),
    ],
)
def test_a_number_is_read_in_groups(stored: str, read: str):
    assert display_phone(stored) == read
