"""Why a booking cannot be."""

from telehealth.core.errors import Conflict, Forbidden, Gone, NotFound, TooMany, Unprocessable


class SlotTaken(Conflict):
    """Somebody else has the place."""

    code = "slot-taken"


class OnlineQuotaFull(Conflict):
    """The places that may be booked online are given out; the desk still has some."""

    code = "online-quota-full"


class ResourceBusy(SlotTaken):
    """A room or a device that the slot needs is in use."""

    code = "resource-busy"


class DoorQuotaFull(Conflict):
    """What is left is kept for other doors; `time` and `date` say when it falls to all."""

    code = "door-quota-full"


class NobodyFree(Conflict):
    """No doctor has a place left in the time asked for."""

    code = "nobody-free"


class OverbookFull(Conflict):
    """As many as may be were deliberately put beside those who have this slot."""

    code = "overbook-full"


class PractitionerDayFull(Conflict):
    """The practitioner sees as many people that day as they may."""

    code = "practitioner-day-full"


class TimeBlocked(Conflict):
    """The time is blocked, and the caller is not one of those who may book all the same."""

    code = "time-blocked"


class NotOpenYet(Conflict):
    """Online booking of that session opens at `time` on `date`."""

    code = "not-open-yet"


class RestrictedToDesk(Conflict):
    """After missed appointments the patient books at the desk or by telephone for a while."""

    code = "restricted-to-desk"


class OutsideValidity(Conflict):
    """The referral or slip that the booking is for holds from `from` to `until`."""

    code = "outside-validity"


class OverrideNotOnline(Forbidden):
    """Only staff, at their own desk, book beside or against the rules."""

    code = "override-not-online"


class NotBookableOnline(Conflict):
    """The service is booked at the desk only."""

    code = "not-bookable-online"


class PatientBusy(Conflict):
    """The patient has another appointment at that time."""

    code = "patient-busy"


class TooManyBookings(Conflict):
    """The patient has as many coming appointments as one may have."""

    code = "too-many-bookings"


class TooManyThatDay(Conflict):
    """The patient has as many appointments that day as one may have."""

    code = "too-many-that-day"


class TooManyWithPractitioner(Conflict):
    """The patient already has an appointment with this practitioner."""

    code = "too-many-with-practitioner"


class TooManyByAccount(Conflict):
    """The account has booked as often as one may in a day, whoever it was for."""

    code = "too-many-by-account"


class TooManyByPhone(Conflict):
    """People with this telephone number have as many coming appointments as one number may have."""

    code = "too-many-by-phone"


class TooManyByIdentity(Conflict):
    """The person has as many coming appointments as one may have, under whatever account."""

    code = "too-many-by-identity"


class IdentityAtDesk(Conflict):
    """An earlier record with the same number books at the desk for now; not told why, nor whose it is."""

    code = "identity-at-desk"


class NotAdmitted(Conflict):
    """Many want these places at their release hour: one comes in through the waiting room."""

    code = "waiting-room"


class TooManyHolds(TooMany):
    """The account holds as many slots as one may."""

    code = "too-many-holds"


class HoldUnknown(NotFound):
    """No such hold that this caller may see."""

    code = "hold-unknown"


class HoldExpired(Conflict):
    """The hold's time is over."""

    code = "hold-expired"


class HoldNotYours(Conflict):
    """Somebody else's hold."""

    code = "hold-not-yours"


class AlreadyArrived(Conflict):
    """After check-in the ticket rules, not the appointment."""

    code = "already-arrived"


class AppointmentOver(Conflict):
    """The appointment has been cancelled, missed or done; it cannot change that way any more."""

    code = "appointment-over"


class TooLateToCancel(Conflict):
    """A patient could cancel until `time` on `date`; now the facility (`hotline`) can."""

    code = "too-late-to-cancel"


class NotTheirReason(Unprocessable):
    """A patient cancels for reasons of their own; those of the hospital are the hospital's to give."""

    code = "not-their-reason"


class TooLateToMove(Conflict):
    """A patient could move it until `time` on `date`; now the facility (`hotline`) can."""

    code = "too-late-to-move"


class TooLateToAnswer(Gone):
    """The time that the answer was about is over."""

    code = "too-late-to-answer"


class TooEarlyToSetOut(Conflict):
    """Nobody is on the way so long before; `time` says from when on."""

    code = "too-early-to-set-out"


class AppointmentDisrupted(Conflict):
    """The doctor is away then, or the place is closed: nobody need come at that time."""

    code = "appointment-disrupted"


class OfferOver(Gone):
    """The offer was answered otherwise, taken back, or its time is over."""

    code = "offer-over"


class OtherService(Conflict):
    """An appointment moves to another time of its own service; for another one it is cancelled."""

    code = "other-service"


class TooEarlyForNoShow(Conflict):
    """Nobody has missed an appointment before its time."""

    code = "too-early-for-no-show"


class KeyReused(Unprocessable):
    """The idempotency key was used for another request."""

    code = "idempotency-key-reused"


class BadKey(Unprocessable):
    """An idempotency key is 1 to 200 printable ASCII characters."""

    code = "bad-idempotency-key"


class NoPatient(NotFound):
    """No such patient that this caller may act for."""

    code = "patient-unknown"


class ReasonTooLong(Unprocessable):
    """More is said about why somebody comes than a doctor reads beforehand."""


class RemoteNotAllowed(Unprocessable):
    """What the visit is about may not be treated from afar; somebody must see the patient."""

    code = "remote-not-allowed"


FULL = (SlotTaken, OnlineQuotaFull, DoorQuotaFull, OverbookFull, PractitionerDayFull, TimeBlocked)
"""Why a slot is gone though another one may do: such a refusal comes with alternatives."""


class SeriesWithoutDays(Unprocessable):
    """The rule of a series asks for no day at all."""

    code = "series-without-days"


class SeriesSlotOdd(Unprocessable):
    """A chosen slot is of another service or place than the series, or chosen twice."""

    code = "series-slot-odd"
