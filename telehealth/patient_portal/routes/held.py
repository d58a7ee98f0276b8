"""What the pages between choosing a slot and the appointment share: the hold and its draft."""

from uuid import UUID

from flask import session as cookie
from sqlalchemy.orm import Session

from telehealth.booking import queries
from telehealth.booking.errors import HoldUnknown
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.queries import AppointmentView
from telehealth.patient_portal import drafts
from telehealth.patient_portal.drafts import Draft
from telehealth.web.context import cipher, permit


def draft_of(session: Session, hold_id: UUID) -> Draft:
    """Return this browser's draft of a hold of its own. Raises HoldUnknown."""
    held(session, hold_id)
    draft = drafts.read(cookie, cipher())
    if draft is None or draft.hold_id != hold_id:
        raise HoldUnknown
    return draft


def held(session: Session, hold_id: UUID) -> AppointmentView:
    """Return the hold, or what became of it. Raises HoldUnknown."""
    view = queries.appointment(session, hold_id)
    if view is None:
        raise HoldUnknown
    permit("booking.read", AppointmentScope(view.facility.id, view.patient_id, view.account_id))
    return view


def keep(draft: Draft) -> None:
    """Keep the draft in this browser."""
    drafts.keep(cookie, draft, cipher())
