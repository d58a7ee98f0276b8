"""A month before a child comes of age, whoever answers for the child is told what changes."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifications import Message, Recipient
from telehealth.accounts.models import Account
from telehealth.accounts.queries import contact_of_account
from telehealth.core.clock import local
from telehealth.patients.models import AccountPatient, Patient, Relation
from telehealth.reminders.services.means import Means

AHEAD = timedelta(days=30)
_ANSWERING = (Relation.PARENT.value, Relation.GUARDIAN.value)


def tell_of_age(session: Session, means: Means, *, now: datetime) -> int:
    """Enqueue what is due; one key for each relation and day, so that it is said once. Return how many."""
    messages = []
    for link, language in session.execute(
        select(AccountPatient, Account.language)
        .join(Account, Account.id == AccountPatient.account_id)
        .join(Patient, Patient.id == AccountPatient.patient_id)
        .where(
            AccountPatient.relation.in_(_ANSWERING),
            AccountPatient.valid_to > now,
            AccountPatient.valid_to <= now + AHEAD,
            AccountPatient.valid_to == func.adult_from(Patient.birth_date),
            Patient.merged_into.is_(None),
        )
    ):
        contact = contact_of_account(session, link.account_id, means.cipher)
        if contact is None or link.valid_to is None:
            continue
        phone, email = (contact.value, None) if contact.kind == "phone" else (None, contact.value)
        day = local(link.valid_to)
        messages.append(
            Message(
                kind="guardianship-ends",
                recipient=Recipient(phone=phone, email=email, language=language, owner=link.account_id),
                params={"date": day.strftime("%d/%m/%Y"), "link": f"{means.links.base_url}/account"},
                dedupe_key=f"guardianship-ends:{link.account_id}:{link.patient_id}:{day:%Y%m%d}",
                not_before=now,
                expires_at=link.valid_to,
                subject=link.patient_id,
            )
        )
    return means.outbox.enqueue(session, messages, now=now) if messages else 0
