"""The form and the signature of answer links."""

from datetime import timedelta
from uuid import UUID

import pytest

from telehealth.core.answer_link import LETTERS, TOKEN_LENGTH, AnswerLink, AnswerLinks, Purpose
from tests.conftest import MONDAY_8AM

LINKS = AnswerLinks.of("a secret that is long enough for anybody", "https://kham.example.vn")
SUBJECT = UUID("0192f0c0-1234-4abc-8def-001122334455")


def parsed(token: str) -> AnswerLink:
    link = AnswerLink.parse(token)
    assert link is not None
    return link


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_says_what_it_answers_and_is_signed_about_one_instant(purpose: Purpose):
    token = LINKS.token(purpose, SUBJECT, MONDAY_8AM)
    link = parsed(token)
    assert (link.purpose, link.subject, len(token)) == (purpose, SUBJECT, TOKEN_LENGTH)
    assert LINKS.signed(link, MONDAY_8AM)
    assert not LINKS.signed(link, MONDAY_8AM + timedelta(minutes=1))


def test_a_link_fits_into_a_short_message():
    assert len(LINKS.address(Purpose.CONFIRM, SUBJECT, MONDAY_8AM)) <= 60


def test_the_letter_of_another_purpose_breaks_the_signature():
    token = LINKS.token(Purpose.CONFIRM, SUBJECT, MONDAY_8AM)
    for letter in LETTERS.replace(token[0], ""):
        assert not LINKS.signed(parsed(letter + token[1:]), MONDAY_8AM)


def test_every_bit_counts():
    token = LINKS.token(Purpose.CANCEL, SUBJECT, MONDAY_8AM)
    for place in range(1, TOKEN_LENGTH):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert not LINKS.signed(parsed(changed), MONDAY_8AM)


def test_another_secret_signs_otherwise():
    other = AnswerLinks.of("another secret that is long enough too", LINKS.base_url)
    assert not LINKS.signed(parsed(other.token(Purpose.CONFIRM, SUBJECT, MONDAY_8AM)), MONDAY_8AM)


@pytest.mark.parametrize(
    "odd", ["", "c", "c" * 32, "c" + "A" * 33, "q" + "A" * 32, "c" + "é" * 32, "c" + "=" * 32]
)
def test_what_has_not_the_one_form_is_no_link(odd: str):
    assert AnswerLink.parse(odd) is None
