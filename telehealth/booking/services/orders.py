"""What is asked for when somebody books."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from telehealth.booking.codes import CoverageBasis
from telehealth.booking.remote import RemoteNeed
from telehealth.scheduling.codes import Channel

CODE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """What was agreed to and in which wording."""

    purpose: str
    text_version: str


@dataclass(frozen=True, slots=True)
class Bound:
    """From when (included) until when (excluded) a booking for a referral or slip must start."""

    from_: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """Who wants which slot. Either `slot_id` or `hold_id`; a hold of one's own on the slot is used.

    `referring_level`: care level of the facility that refers, for the door of Channel.REFERRAL.
    `bound`: what a referral or slip allows. `overbook`: why somebody is put beside those who have the slot;
    `override`: why a blocked or begun time is booked all the same. Both need a right and are audited.
    `need`: what a visit by video is about. `announced`: whether a message of its own says that it is booked.
    """

    patient_id: UUID
    slot_id: str | None = None
    hold_id: UUID | None = None
    coverage_basis: str = CoverageBasis.NONE
    companion: bool = False
    reason: str | None = None
    channel: str = Channel.ONLINE
    consent: ConsentGiven | None = None
    referring_level: str | None = None
    bound: Bound | None = None
    overbook: str | None = None
    override: str | None = None
    need: RemoteNeed | None = None
    announced: bool = True
