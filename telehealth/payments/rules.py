"""Pure rules: what a VietQR code says, which payment a transfer is about, what becomes of both."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from telehealth.payments.codes import PaymentState, TransferState

# Banks tell of a transfer minutes after it was made; a deposit lapses only when that is over.
BANK_DELAY = timedelta(minutes=10)

_REFERENCE = re.compile(r"(?=(KB[0-9A-F]{12}))")
_NOT_IN_REFERENCE = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class Account:
    """Where money goes: the bank's BIN (NAPAS, 6 digits), the account's number and its holder."""

    bank_bin: str
    account_no: str
    holder: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment as the rules see it, in đồng."""

    state: str
    amount: int
    received: int
    refund: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What a transfer makes of a payment, and what the transfer itself turned out to be."""

    payment: Standing
    transfer: TransferState


def settled(payment: Standing, incoming: int) -> Settled:
    """Return what becomes of a payment when so much comes in.

    Too little waits for the rest; too much, or anything for a deposit that is not wanted any more, must go
    back.
    """
    received = payment.received + incoming
    if payment.state == PaymentState.DUE:
        if received < payment.amount:
            return Settled(Standing(payment.state, payment.amount, received, 0), TransferState.SHORT)
        over = received - payment.amount
        paid = Standing(PaymentState.PAID, payment.amount, received, over)
        return Settled(paid, TransferState.OVER if over else TransferState.MATCHED)
    kept = Standing(payment.state, payment.amount, received, payment.refund + incoming)
    return Settled(kept, TransferState.OVER if payment.state == PaymentState.PAID else TransferState.LATE)


def returned_on_cancelling(payment: Standing, late_percent: int, *, in_time: bool) -> int:
    """Return what comes back of a paid deposit when its patient cancels: all in time, later the share agreed.

    As the database does it (migration 0026, `deposit_follows_appointment`).
    """
    if in_time:
        return payment.received
    return payment.received - payment.amount + payment.amount * late_percent // 100


def references_in(content: str) -> tuple[str, ...]:
    """Return what may be our references in a transfer's text, however the bank has wrapped and spaced it."""
    plain = _NOT_IN_REFERENCE.sub("", content.upper())
    return tuple(dict.fromkeys(found.group(1) for found in _REFERENCE.finditer(plain)))


def lapses(due_at: datetime, now: datetime) -> bool:
    """Tell whether a deposit that nobody paid is lost, the bank's delay included."""
    return now > due_at + BANK_DELAY


def vietqr(account: Account, amount: int, content: str) -> str:
    """Return the text of a VietQR code for one transfer (NAPAS, EMVCo merchant-presented mode).

    `content` is unaccented ASCII of at most 25 characters. Raises ValueError.
    """
    if not content.isascii() or not 0 < len(content) <= 25:
        raise ValueError(content)
    beneficiary = _fields((("00", account.bank_bin), ("01", account.account_no)))
    text = _fields(
        (
            ("00", "01"),
            ("01", "12"),  # dynamic: for this one transfer
            ("38", _fields((("00", "A000000727"), ("01", beneficiary), ("02", "QRIBFTTA")))),
            ("53", "704"),
            ("54", str(amount)),
            ("58", "VN"),
            ("62", _fields((("08", content),))),
        )
    )
    return f"{text}6304{crc16(f'{text}6304'):04X}"


def crc16(text: str) -> int:
    """Return the CRC-16/CCITT-FALSE of ASCII text (polynomial 1021, initial FFFF)."""
    crc = 0xFFFF
    for byte in text.encode("ascii"):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def _fields(fields: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{tag}{len(value):02}{value}" for tag, value in fields)
