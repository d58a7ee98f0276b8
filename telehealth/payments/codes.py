"""The code systems of payments."""

from enum import StrEnum


class PaymentState(StrEnum):
    """What became of a deposit. `void`: nothing was owed any more; `lapsed`: not paid in time."""

    DUE = "due"
    PAID = "paid"
    VOID = "void"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    FORFEITED = "forfeited"


class TransferState(StrEnum):
    """What a transfer turned out to be; `unmatched` waits for a person, `settled` had one."""

    MATCHED = "matched"
    SHORT = "short"
    OVER = "over"
    LATE = "late"
    UNMATCHED = "unmatched"
    SETTLED = "settled"
