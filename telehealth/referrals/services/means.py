"""What acting on requests takes besides the transaction, and finding the one to act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.directory.remote_care import RemoteCare
from telehealth.referrals.errors import RequestClosed
from telehealth.referrals.queries import RequestView, request
from telehealth.referrals.rules import SlipRules


@dataclass(frozen=True, slots=True)
class Means:
    """The instant, the keys, the way out for messages, and the rules of slips and of remote care."""

    now: datetime
    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks
    rules: SlipRules
    care: RemoteCare

    @property
    def booking(self) -> Mapping[str, Any]:
        """Return what booking services ask."""
        return {"now": self.now, "cipher": self.cipher, "outbox": self.outbox, "links": self.links}

    @property
    def reading(self) -> Mapping[str, Any]:
        """Return what queries ask."""
        return {"now": self.now, "cipher": self.cipher, "rules": self.rules}


def found_request(
    session: Session, request_id: UUID, means: Means, *, version: int | None = None
) -> RequestView:
    """Return a request, of the named version if one is. Raises NotFound, PreconditionFailed."""
    view = request(session, request_id, **means.reading)
    if view is None:
        raise NotFound
    if version is not None and view.version != version:
        raise PreconditionFailed
    return view


def open_request(
    session: Session, request_id: UUID, means: Means, *, version: int | None = None
) -> RequestView:
    """Return a request that somebody has still to do with. Raises RequestClosed besides."""
    view = found_request(session, request_id, means, version=version)
    if not view.open:
        raise RequestClosed
    return view


def changed(session: Session, view: RequestView, values: Mapping[str, Any], now: datetime) -> None:
    """Compare and swap: change a request that is as it was read. Raises PreconditionFailed."""
    columns = ", ".join(f"{name} = %({name})s" for name in values)
    done = session.connection().exec_driver_sql(
        f"""UPDATE service_request SET {columns}, version = version + 1, updated_at = %(now)s
             WHERE id = %(id)s AND version = %(read)s""",
        {**values, "now": now, "id": view.id, "read": view.version},
    )
    if done.rowcount != 1:
        raise PreconditionFailed
