"""Why a payment cannot be."""

from telehealth.core.errors import Conflict, NotFound, Unauthenticated, Unprocessable


class UnsignedTransfer(Unauthenticated):
    """The bank's call carries no signature of ours, a wrong one, or one that is too old."""

    code = "unsigned-transfer"


class BadTransfer(Unprocessable):
    """The bank's call is signed, and not one that its provider describes."""

    code = "bad-transfer"


class NoDeposit(NotFound):
    """The appointment asks for no deposit."""

    code = "no-deposit"


class ReferenceUnknown(Unprocessable):
    """No deposit of this facility has that reference or booking code."""

    code = "reference-unknown"


class NothingToRefund(Conflict):
    """All that was owed has been paid back."""

    code = "nothing-to-refund"


class TransferSettled(Conflict):
    """Somebody has settled this transfer already."""

    code = "transfer-settled"
