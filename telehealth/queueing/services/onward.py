"""Where somebody goes who is through at one queue. What decides it is built above; `app` sets it."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.queueing.queries import QueueView


class Onward(Protocol):
    """The path of a visit, as far as its numbers need it."""

    def hold(self, session: Session, ticket_id: UUID) -> None:
        """Let nobody else move a number's visit until this transaction ends. Take it before any number."""

    def comes_back(self, session: Session, visit_id: UUID, queue_id: UUID) -> bool:
        """Tell whether somebody who leaves a room now is expected back in it."""

    def hand_on(
        self,
        session: Session,
        principal: Principal,
        visit_id: UUID,
        queue: QueueView,
        *,
        now: datetime,
        cipher: FieldCipher,
    ) -> None:
        """Send a visit on that is through at a queue."""


class _Nowhere:
    """Without a path, whoever is through goes home."""

    def hold(self, session: Session, ticket_id: UUID) -> None:
        """Nothing to hold."""

    def comes_back(self, session: Session, visit_id: UUID, queue_id: UUID) -> bool:
        """Nobody comes back."""
        return False

    def hand_on(
        self,
        session: Session,
        principal: Principal,
        visit_id: UUID,
        queue: QueueView,
        *,
        now: datetime,
        cipher: FieldCipher,
    ) -> None:
        """Nowhere to go."""


class Ways:
    """Which path numbers go by."""

    path: Onward = _Nowhere()


def go_by(path: Onward) -> None:
    """Let everybody who is through at a queue go on by this path."""
    Ways.path = path
