"""One change of a queue's line at a time."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# One call of a queue at a time: the second reads the line as the first left it. Otherwise it would pass
# over those whom the first is just telling that their turn is near, and call somebody behind them.
_TAKE_TURN = text("SELECT FROM queue WHERE id = :queue FOR NO KEY UPDATE")


def take_turn(session: Session, *queue_ids: UUID) -> None:
    """Let one call, undoing, merge or pause of these queues at a time read the line and change it."""
    for queue_id in sorted(queue_ids):
        session.execute(_TAKE_TURN, {"queue": queue_id})
