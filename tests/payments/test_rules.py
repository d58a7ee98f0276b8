"""VietQR texts, references in banks' texts, and what a transfer makes of a deposit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.payments.codes import PaymentState, TransferState
from telehealth.payments.rules import Account, Standing, crc16, references_in, settled, vietqr

BANK = Account("970436", "1903512345678", "BENH VIEN THU")


def fields(text: str) -> dict[str, str]:
    found = {}
    while text:
        tag, length = text[:2], int(text[2:4])
        found[tag] = text[4 : 4 + length]
        text = text[4 + length :]
    return found


def test_the_check_sum_is_that_of_the_published_check_word():
    assert crc16("123456789") == 0x29B1  # CRC-16/CCITT-FALSE, the catalogue's check value


def test_a_code_carries_bank_account_amount_and_words():
    text = vietqr(BANK, 50_000, "KB0123456789AB")
    top = fields(text)
    assert (top["00"], top["01"], top["53"], top["54"], top["58"]) == ("01", "12", "704", "50000", "VN")
    merchant = fields(top["38"])
    assert (merchant["00"], merchant["02"]) == ("A000000727", "QRIBFTTA")
    assert fields(merchant["01"]) == {"00": "970436", "01": "1903512345678"}
    assert fields(top["62"]) == {"08": "KB0123456789AB"}
    assert top["63"] == f"{crc16(text[:-4]):04X}"


@pytest.mark.parametrize("content", ["", "đặt cọc", "x" * 26])
def test_words_that_banks_would_spoil_are_refused(content: str):
    with pytest.raises(ValueError):
        vietqr(BANK, 1, content)


@pytest.mark.parametrize(
    "content",
    [
        "KB0123456789AB",
        "kb0123456789ab",
        "MBVCB.5512.KB0123456789AB.CT tu 0123 toi 190",
        "KB 0123 4567 89AB chuyen tien",
        "IBFT KB01234-56789AB",
        "CT tuKB0123456789ABtoi9",
    ],
)
def test_a_reference_is_found_however_the_bank_wraps_it(content: str):
    assert "KB0123456789AB" in references_in(content)


@pytest.mark.parametrize("content", ["", "tien kham", "KB0123", "KBXYZ456789ABC"])
def test_other_words_are_no_reference(content: str):
    assert references_in(content) == ()


@given(
    state=st.sampled_from(PaymentState),
    amount=st.integers(1, 10**6),
    transfers=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
)
def test_no_dong_is_lost_whatever_comes_in(state: PaymentState, amount: int, transfers: list[int]):
    received = amount if state in (PaymentState.PAID, PaymentState.FORFEITED) else 0
    standing = Standing(state, amount, received, 0)
    for transfer in transfers:
        outcome = settled(standing, transfer)
        assert outcome.payment.received == standing.received + transfer
        assert 0 <= outcome.payment.refund <= outcome.payment.received
        if outcome.payment.state == PaymentState.PAID:
            assert outcome.payment.received - outcome.payment.refund == amount
        if standing.state not in (PaymentState.DUE, PaymentState.PAID):
            assert outcome.transfer is TransferState.LATE
            assert outcome.payment.refund == standing.refund + transfer
        standing = outcome.payment
