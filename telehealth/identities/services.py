"""Two records become one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.codes import CancelReason
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.identities.errors import MergeNeedsChoice, MergeNeedsOthers, RecordMerged
from telehealth.identities.queries import overlaps
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.services import fill_contact

_MERGE = text("SELECT merge_patients(:merged, :kept, :now)")


@dataclass(frozen=True, slots=True)
class Merge:
    """The record that stays and the one that goes into it, at which facility's word.

    `keep` names, of each two appointments at one time, the one that stays; the other is cancelled.
    """

    kept_id: UUID
    merged_id: UUID
    facility_id: UUID
    keep: Collection[UUID] = ()


def merge(
    session: Session,
    principal: Principal,
    wanted: Merge,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> None:
    """Make one record of two: numbers, families, facilities and appointments of the one come to the other.

    What the kept record lacks of telephone, e-mail, address and guardian comes along.

    Raises PatientNotFound, RecordMerged, MergeNeedsChoice, MergeNeedsOthers; then roll back.
    """
    kept_id, merged_id = wanted.kept_id, wanted.merged_id
    for appointment_id, version in _dropped(session, wanted, now).items():
        booking.cancel(
            session,
            principal,
            appointment_id,
            version=version,
            reason_code=CancelReason.ENTERED_IN_ERROR,
            now=now,
            cipher=cipher,
            outbox=outbox,
        )
    fill_contact(session, kept_id, merged_id, now=now, cipher=cipher)
    outcome = session.execute(_MERGE, {"merged": merged_id, "kept": kept_id, "now": now}).scalar_one()
    if outcome == "patient-not-found":
        raise PatientNotFound
    if outcome == "patient-merged":
        raise RecordMerged
    if outcome != "ok":
        raise MergeNeedsOthers
    session.expire_all()
    record(
        session,
        principal,
        Entry("patient.merge", "Patient", kept_id, kept_id, wanted.facility_id, {"merged": str(merged_id)}),
        Entry("patient.merge", "Patient", merged_id, merged_id, wanted.facility_id, {"into": str(kept_id)}),
        now=now,
    )


def _dropped(session: Session, wanted: Merge, now: datetime) -> dict[UUID, int]:
    """Return the appointments to cancel and their versions, each once. Raises MergeNeedsChoice.

    One appointment may overlap two of the other record.
    """
    found: dict[UUID, int] = {}
    for overlap in overlaps(session, wanted.kept_id, wanted.merged_id, now):
        pair = (overlap.of_kept, overlap.of_merged)
        dropped = [view for view in pair if view.id not in wanted.keep]
        if len(dropped) != 1:
            raise MergeNeedsChoice
        found[dropped[0].id] = dropped[0].version
    return found
