"""Who hears of appointments, for many at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Recipient
from telehealth.booking import messages
from telehealth.core.crypto import FieldCipher

# In the order of patients.queries.recipient_of: the person, the guardian, the account that booked, while it
# acts for them, the one that looks after them.
_CONTACTS = """
SELECT a.id, p.language,
       p.id AS patient_id, p.phone_sealed AS patient_phone, p.email_sealed AS patient_email,
       g.id AS guardian_id, g.phone_sealed AS guardian_phone, g.email_sealed AS guardian_email,
       b.id AS booker_id, b.phone_sealed AS booker_phone, b.email_sealed AS booker_email,
       f.id AS family_id, f.phone_sealed AS family_phone, f.email_sealed AS family_email
  FROM appointment a
  JOIN patient named ON named.id = a.patient_id
  JOIN patient p ON p.id = coalesce(named.merged_into, named.id)
  LEFT JOIN LATERAL (
      SELECT guardian_of(p.id, app_clock()) AS id WHERE p.guardian_id IS NOT NULL OFFSET 0
  ) looked_after_by ON true
  LEFT JOIN patient g ON g.id = looked_after_by.id
  LEFT JOIN LATERAL (
      SELECT c.id, c.phone_sealed, c.email_sealed FROM account c
       WHERE c.id = a.account_id AND hears_of(c.id, p.id, app_clock()) OFFSET 0
  ) b ON true
  LEFT JOIN LATERAL (
      SELECT c.id, c.phone_sealed, c.email_sealed
        FROM account_patient ap JOIN account c ON c.id = ap.account_id
       WHERE ap.patient_id = p.id AND (ap.valid_to IS NULL OR ap.valid_to > app_clock())
       ORDER BY ap.relation <> 'self', ap.valid_from LIMIT 1
  ) f ON true
 WHERE a.id = ANY(%(ids)s::uuid[])
"""


def recipients(
    session: Session, appointment_ids: Sequence[UUID], cipher: FieldCipher
) -> Mapping[UUID, Recipient]:
    """Return who hears of each appointment, one statement; those whom nobody can reach are left out."""
    found = {}
    for row in session.connection().exec_driver_sql(_CONTACTS, {"ids": list(appointment_ids)}):
        to = messages.reachable(
            (
                messages.Address("patient", row.patient_id, row.patient_phone, row.patient_email),
                messages.Address("patient", row.guardian_id, row.guardian_phone, row.guardian_email),
                messages.Address("account", row.booker_id, row.booker_phone, row.booker_email),
                messages.Address("account", row.family_id, row.family_phone, row.family_email),
            ),
            row.language,
            cipher,
            owner=row.family_id,
        )
        if to is not None:
            found[row.id] = to
    return found
