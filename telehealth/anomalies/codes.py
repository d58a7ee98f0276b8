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
