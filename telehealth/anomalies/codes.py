"""What the report tells apart."""

from enum import StrEnum


class AnomalyKind(StrEnum):
    """`same-address` is a signal only: whole villages share one address of a mobile network."""

    MANY_PEOPLE = "many-people"
    HANDED_OVER = "handed-over"
    MISSED = "missed"
    BURST = "burst"
    SHARED_IDENTITY = "shared-identity"
    SHARED_PHONE = "shared-phone"
    SAME_ADDRESS = "same-address"


class LimitName(StrEnum):
    """How often one may book online: an account on a day; a telephone, or a national id, at a time."""

    ACCOUNT_DAY = "account-day"
    PHONE_ACTIVE = "phone-active"
    IDENTITY_ACTIVE = "identity-active"

    @property
    def field(self) -> str:
        """Return its name in forms and in JSON."""
        return self.value.replace("-", "_")
