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

    Raises PatientNotFound, RecordMerged, MergeNeedsChoice, MergeNeedsOthers; then roll back.
    """
    kept_id, merged_id = wanted.kept_id, wanted.merged_id
    for overlap in overlaps(session, kept_id, merged_id, now):
        pair = (overlap.of_kept, overlap.of_merged)
        dropped = [view for view in pair if view.id not in wanted.keep]
        if len(dropped) != 1:
            raise MergeNeedsChoice
        booking.cancel(
            session,
            principal,
            dropped[0].id,
            version=dropped[0].version,
            reason_code=CancelReason.ENTERED_IN_ERROR,
            now=now,
            cipher=cipher,
            outbox=outbox,
        )
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
