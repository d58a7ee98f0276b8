"""Messages that arrive once, on the channel that reaches the person.

A host application enqueues in its own transaction (`Outbox.enqueue`), runs a `Dispatcher` in a worker, and
hands what providers post back to `receipts`. The package knows nothing about its host.
"""

from notifications.outbox import Message, NotSendable, Outbox, Recipient, take_back
from notifications.sealing import Sealer

__all__ = ["Message", "NotSendable", "Outbox", "Recipient", "Sealer", "take_back"]
