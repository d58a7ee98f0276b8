"""Reading the report. The database's function decides who may, and gives nothing to others."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.accounts.queries import phone_of_account
from telehealth.anomalies.codes import AnomalyKind, LimitName
from telehealth.anomalies.models import IdentityLimit
from telehealth.core.crypto import FieldCipher

LOOKED_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A pattern with its evidence: how many bookings, of how many people, between when, some of their codes.

    `ending`: the last digits of the account's telephone. `checked_at`: when somebody looked at it, and there
    was nothing newer.
    """

    kind: AnomalyKind
    subject: str
    ending: str | None
    count: int
    people: int
    first_at: datetime
    last_at: datetime
    codes: tuple[str, ...]
    checked_at: datetime | None


def identity_limits(session: Session, *, locked: bool = False) -> dict[LimitName, int]:
    """Return how often one identity may book online; `locked`: until the transaction ends."""
    asked = select(IdentityLimit.name, IdentityLimit.most).order_by(IdentityLimit.name)
    rows = session.execute(asked.with_for_update() if locked else asked)
    found = {row.name: row.most for row in rows}
    return {name: found[name] for name in LimitName if name in found}


def anomalies(
    session: Session, facility_id: UUID | None, *, now: datetime, cipher: FieldCipher
) -> list[Anomaly]:
    """Return the patterns of the last 90 days at a facility (None: in the province), the unchecked first."""
    rows = (
        session.connection()
        .exec_driver_sql(
            """SELECT r.*, (SELECT max(k.checked_at) FROM anomaly_check k
                             WHERE k.kind = r.kind AND k.subject = r.subject
                               AND k.facility_id IS NOT DISTINCT FROM %(facility)s::uuid) AS checked_at
                 FROM booking_anomalies(%(facility)s::uuid, %(since)s) r""",
            {"facility": facility_id, "since": now - LOOKED_BACK},
        )
        .all()
    )
    found = [
        Anomaly(
            kind=AnomalyKind(row.kind),
            subject=row.subject,
            ending=_ending(session, row.account_id, cipher),
            count=row.bookings,
            people=row.people,
            first_at=row.first_at,
            last_at=row.last_at,
            codes=tuple(row.codes),
            checked_at=row.checked_at if row.checked_at and row.checked_at >= row.last_at else None,
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: each.checked_at is not None)


def _ending(session: Session, account_id: UUID | None, cipher: FieldCipher) -> str | None:
    phone = None if account_id is None else phone_of_account(session, account_id, cipher)
    return None if phone is None else phone[-3:]
