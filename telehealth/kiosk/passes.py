"""Who stands at the kiosk, carried from one page to the next by the page itself.

The pass is sealed for one machine and lasts minutes. Nothing of it is in a cookie, an address or a table.
"""

import base64
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from telehealth.core.crypto import CannotOpen, FieldCipher
from telehealth.kiosk.errors import PassOver
from telehealth.kiosk.rules import PASS_LASTS

LONGEST_PASS = 4_000


@dataclass(frozen=True, slots=True, repr=False)
class NewPerson:
    """What a card says of somebody we do not know yet."""

    full_name: str
    sex: str
    birth_date: str | None
    national_id: str | None = None
    old_national_id: str | None = None
    insurance_no: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Pass:
    """A person who was found, or whose card was read; `appointments` are those that were shown."""

    patient_id: UUID | None = None
    person: NewPerson | None = None
    appointments: frozenset[UUID] = frozenset()


def seal(held: Pass, device_id: UUID, *, now: datetime, cipher: FieldCipher) -> str:
    """Return the pass as a page carries it."""
    body = {
        "at": now.isoformat(),
        "patient": None if held.patient_id is None else str(held.patient_id),
        "person": None if held.person is None else asdict(held.person),
        "appointments": sorted(str(each) for each in held.appointments),
    }
    sealed = cipher.seal(json.dumps(body).encode(), _context(device_id))
    return base64.urlsafe_b64encode(sealed).decode()


def open_pass(given: str, device_id: UUID, *, now: datetime, cipher: FieldCipher) -> Pass:
    """Return who it is. Raises PassOver for an old one, another machine's, and anything else."""
    try:
        if not given.isascii() or len(given) > LONGEST_PASS:
            raise PassOver
        raw = base64.urlsafe_b64decode(given)
        body = json.loads(cipher.open(raw, _context(device_id)))
    except (CannotOpen, ValueError, IndexError) as error:
        raise PassOver from error
    if now - datetime.fromisoformat(body["at"]) > PASS_LASTS:
        raise PassOver
    return Pass(
        patient_id=None if body["patient"] is None else UUID(body["patient"]),
        person=None if body["person"] is None else NewPerson(**body["person"]),
        appointments=frozenset(UUID(each) for each in body["appointments"]),
    )


def _context(device_id: UUID) -> bytes:
    return f"kiosk.pass:{device_id}".encode()
