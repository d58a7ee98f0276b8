"""What registering people may refuse."""

from telehealth.core.errors import Conflict, NotFound, PreconditionFailed, Unprocessable


class PatientNotFound(NotFound):
    """No such person, or not one the caller may see."""

    code = "patient-not-found"


class PatientChanged(PreconditionFailed):
    """Somebody else changed the person's data first."""

    code = "patient-changed"


class BadPatient(Unprocessable):
    """Something about the person cannot be right."""

    code = "bad-patient"


class TooManyRelatives(Conflict):
    """One account looks after more people than a family has."""

    code = "too-many-relatives"


class OwnRecordUnknown(Unprocessable):
    """No record of a grown person fits what was said: never which part of it, nor whether there is one."""

    code = "own-record-unknown"


class NotOfAge(Conflict):
    """The record belongs to a child: whoever answers for it keeps it."""

    code = "not-of-age"


class BirthDateAtDesk(Conflict):
    """The new birth date would change how long the caller may act for the person: a desk sees the papers."""

    code = "birth-date-at-desk"
