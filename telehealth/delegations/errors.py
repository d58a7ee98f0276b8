"""What delegating may refuse."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class DelegationNotFound(NotFound):
    """No such delegation, or not one of the caller's."""

    code = "delegation-not-found"


class BadDelegation(Unprocessable):
    """Something about the delegation cannot be right."""

    code = "bad-delegation"


class CannotDelegate(NotFound):
    """Only the person, or a child's parent or guardian, lets somebody else act."""

    code = "cannot-delegate"


class TooManyDelegates(Conflict):
    """More people act for one person than anybody can keep an eye on."""

    code = "too-many-delegates"
