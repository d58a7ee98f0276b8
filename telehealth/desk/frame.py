"""Where the clerk works, whom the desk knows, and what stands around each of its pages."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.errors import Forbidden
from telehealth.desk.policies import RECEPTION
from telehealth.desk.services import Desk
from telehealth.directory import queries as directory
from telehealth.patients import queries as patients
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.queries import PatientView
from telehealth.queueing import queries as queues
from telehealth.web.context import cipher, permit, principal, session
from telehealth.web.workplace import workplace


def desk_here() -> Desk:
    """Return where the clerk works: the facility chosen last, else the first of theirs."""
    chosen = workplace(principal().facilities(*RECEPTION))
    permit("desk.use", chosen)
    if chosen is None:
        raise Forbidden
    return Desk(principal(), chosen)


def frame(desk: Desk, current: str = "home") -> dict[str, Any]:
    """Return what the frame of a page shows."""
    own = directory.facilities_by_id(session(), list(principal().facilities(*RECEPTION)))
    return {
        "facility": own[desk.facility_id],
        "others": [place for place in own.values() if place.id != desk.facility_id],
        "current": current,
        "staff_calls": queues.open_staff_calls(session(), desk.facility_id),
    }


def known_person(work: Session, patient_id: UUID) -> PatientView:
    """Return a person this desk knows. Raises PatientNotFound."""
    view = patients.patient(work, patient_id, cipher())
    if view is None or desk_here().facility_id not in view.facility_ids:
        raise PatientNotFound
    return view
