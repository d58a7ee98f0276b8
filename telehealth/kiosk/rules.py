"""What numbers to look for, and what a kiosk may look for at most. Pure."""

from datetime import timedelta
from uuid import UUID

from telehealth.accounts.rules import Limit
from telehealth.identification.cards import IdentityCard, InsuranceCard
from telehealth.identification.reading import (
    BookingCode,
    InsuranceNumber,
    NationalNumber,
    OldNationalNumber,
    Passport,
    PhoneNumber,
    Reading,
)
from telehealth.patients.models import IdentifierSystem

CLEAR_AFTER_SECONDS = 25
PASS_LASTS = timedelta(minutes=3)
"""So long a person who was found counts as the one who stands there."""

LEAST_LEASE, LARGEST_LEASE = 6, 60
_SHARE_OF_THE_REST = 4
_FIRST_MINUTES = 30

Number = tuple[IdentifierSystem, str]


def numbers_of(reading: Reading) -> tuple[Number, ...]:
    """Return under which numbers a person may be known, the surest first.

    Insurance cards of 15 characters end with the ten digits of social insurance; new cards show only those.
    """
    match reading:
        case IdentityCard():
            old = reading.old_national_id
            own: tuple[Number, ...] = ((IdentifierSystem.NATIONAL_ID, reading.national_id),)
            return own if old is None else (*own, (IdentifierSystem.OLD_NATIONAL_ID, old))
        case NationalNumber(value=value):
            return ((IdentifierSystem.NATIONAL_ID, value), (IdentifierSystem.INSURANCE, value))
        case OldNationalNumber(value=value):
            return ((IdentifierSystem.OLD_NATIONAL_ID, value),)
        case InsuranceCard(insurance_no=value) | InsuranceNumber(value=value):
            return _insurance(value)
        case PhoneNumber(insurance_no=str(value)):
            return _insurance(value)
        case Passport(value=value) | BookingCode(passport_no=str(value)):
            return ((IdentifierSystem.PASSPORT, value),)
        case _:
            return ()


def _insurance(value: str) -> tuple[Number, ...]:
    system = IdentifierSystem.INSURANCE
    return ((system, value), (system, value[-10:])) if len(value) == 15 else ((system, value),)


def look_up_limits(device_id: UUID) -> tuple[Limit, ...]:
    """Return the limits on looking for people by numbers: far above a queue, far below guessing."""
    return (
        Limit(f"kiosk-look-up:minute:{device_id}", 20, 60),
        Limit(f"kiosk-look-up:hour:{device_id}", 300, 3600),
    )


def lease_size(lately: int, minutes_per_visit: int, points: int, left: int | None) -> int:
    """Return how many numbers a kiosk holds for a cut: as many as it gave in the last hour.

    Whoever presses elsewhere gets a number behind the block, so it is no larger than a cut needs: `lately`
    are the kiosk's own presses, for each kiosk of a hall gives but its share. Before there were any, it is
    half an hour of the configured pace of `points` rooms. Of a day's contingent a kiosk holds at most a
    quarter of what is `left`.
    """
    pace = lately or -(-_FIRST_MINUTES * points // max(minutes_per_visit, 1))
    size = min(max(pace, LEAST_LEASE), LARGEST_LEASE)
    return size if left is None else max(min(size, left // _SHARE_OF_THE_REST), 0)
