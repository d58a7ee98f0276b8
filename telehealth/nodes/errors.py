"""The refusals of nodes."""

from telehealth.core.errors import Conflict, Unauthenticated, Unprocessable


class WrongNodeCode(Unprocessable):
    """No node was announced by this code, or its time is over, or it was used."""

    code = "wrong-node-code"


class UnknownNode(Unauthenticated):
    """No node has this token, or it was revoked."""

    code = "unknown-node"


class CentreOutOfReach(Conflict):
    """This needs the centre, and the line to it is cut."""

    code = "centre-out-of-reach"


class BatchOutOfOrder(Conflict):
    """Batches come one after the other; `extra` says which is the next."""

    code = "batch-out-of-order"


class BatchChanged(Conflict):
    """A batch of this number was taken in, with other content."""

    code = "batch-changed"


class NodeNotReady(Conflict):
    """The node was not put into use yet, or was not heard of lately."""

    code = "node-not-ready"


class ExceptionSettled(Conflict):
    """Somebody has dealt with it."""

    code = "exception-settled"


class StillDoesNotFit(Conflict):
    """It cannot be taken in as it stands; `extra` says why."""

    code = "still-does-not-fit"
