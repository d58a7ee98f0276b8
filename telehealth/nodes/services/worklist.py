"""What a node handed in and did not fit: taken in after all, or dismissed for a reason."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.principal import Principal
from telehealth.nodes.codes import Outcome, Reason
from telehealth.nodes.errors import ExceptionSettled, StillDoesNotFit
from telehealth.nodes.models import NodeException
from telehealth.nodes.services.settling import Sender, apply, exception_context, misfit

_SETTLING = text("SELECT set_config('app.settling', :node, true)")


def take_in_after_all(
    session: Session, principal: Principal, exception_id: UUID, *, now: datetime, cipher: FieldCipher
) -> None:
    """Take one in as it stands. Raises NotFound, ExceptionSettled, StillDoesNotFit.

    Of a batch that came too late each entry is taken by itself: what does not fit stays on the worklist with
    its own reason.
    """
    found = _open(session, exception_id)
    body: dict[str, Any] = json.loads(
        cipher.open_text(found.body_sealed, exception_context(exception_id)) or "{}"
    )
    sender = Sender(found.node_id, found.facility_id)
    if found.reason == Reason.TAKEN_BACK:
        apply(session, sender, found.batch, body["entries"], now=now, cipher=cipher)
    else:
        session.execute(_SETTLING, {"node": str(found.node_id)})
        reason = misfit(session, sender, body, cipher)
        session.execute(_SETTLING, {"node": ""})
        if reason is not None:
            raise StillDoesNotFit(extra={"reason": reason.value})
    _close(session, principal, found, Outcome.APPLIED, None, now)


def dismiss(session: Session, principal: Principal, exception_id: UUID, note: str, *, now: datetime) -> None:
    """Take one off the worklist; it stays kept with who and why.

    Raises NotFound, ExceptionSettled, Unprocessable.
    """
    if not note.strip():
        raise Unprocessable({"note": ["error-required"]})
    _close(session, principal, _open(session, exception_id), Outcome.DISMISSED, note.strip()[:200], now)


def _open(session: Session, exception_id: UUID) -> NodeException:
    found = session.scalars(
        select(NodeException).where(NodeException.id == exception_id).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound
    if found.settled_at is not None:
        raise ExceptionSettled
    return found


def _close(
    session: Session,
    principal: Principal,
    found: NodeException,
    outcome: Outcome,
    note: str | None,
    now: datetime,
) -> None:
    found.settled_at, found.settled_by = now, principal.id
    found.outcome, found.note = outcome.value, note
    session.flush()
    entry = Entry(
        f"node.exception.{outcome.value}", "Task", found.id, None, found.facility_id, {"reason": found.reason}
    )
    record(session, principal, entry, now=now)
