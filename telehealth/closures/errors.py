"""Why sessions cannot be closed, or opened again."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class BadSpan(Unprocessable):
    """The days or hours are the wrong way round, over, or more than a month."""

    code = "bad-closure-span"


class NothingToClose(Conflict):
    """Nobody sees patients then: no session would close."""

    code = "nothing-to-close"


class DayDeclared(Conflict):
    """The calendar says something else of that day already."""

    code = "day-declared"


class ClosureUnknown(NotFound):
    """No such closure that this caller may see."""

    code = "closure-unknown"


class ClosureUndone(Conflict):
    """The sessions were opened again already."""

    code = "closure-undone"


class AlreadySettled(Conflict):
    """Nothing is open for this person any more."""

    code = "closure-settled"
