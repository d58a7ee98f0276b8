"""A booking that is being filled in, kept in the browser's own cookie, sealed.

Nothing of it stands in an address or a log; the server keeps only the hold. One at a time: a new
choice begins a new draft.
"""

import base64
import binascii
import json
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from telehealth.booking.codes import CoverageBasis
from telehealth.core.crypto import CannotOpen, FieldCipher

_NAME = "draft"
_CONTEXT = b"patient_portal.draft"

Cookie = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What has been chosen so far. `told`: the questions after the person have been answered.

    `anybody`: the id of the choice “any doctor” that the slot was held for, else empty.

    By video: `condition` is the code of what it is about, empty for another one; `consultation` asks for
    advice without treatment.
    """

    hold_id: UUID
    slot_id: str
    expires_at: datetime
    patient_id: UUID | None = None
    coverage_basis: str = CoverageBasis.NONE
    companion: bool = False
    reason: str = ""
    invitee_name: str = ""
    invitee_contact: str = ""
    invitee_relation: str = ""
    told: bool = False
    condition: str = ""
    consultation: bool = False
    anybody: str = ""


def keep(cookie: Cookie, draft: Draft, cipher: FieldCipher) -> None:
    """Put the draft into the cookie."""
    plain = asdict(draft) | {
        "hold_id": str(draft.hold_id),
        "patient_id": str(draft.patient_id) if draft.patient_id else None,
        "expires_at": draft.expires_at.isoformat(),
    }
    sealed = cipher.seal(json.dumps(plain, ensure_ascii=False).encode(), _CONTEXT)
    cookie[_NAME] = base64.b64encode(sealed).decode()


def read(cookie: Cookie, cipher: FieldCipher) -> Draft | None:
    """Return the draft of this browser, or None if there is none."""
    try:
        plain = json.loads(cipher.open(base64.b64decode(str(cookie.get(_NAME, ""))), _CONTEXT))
    except (CannotOpen, binascii.Error, IndexError, ValueError):
        return None
    patient_id = plain.pop("patient_id")
    return Draft(
        hold_id=UUID(plain.pop("hold_id")),
        expires_at=datetime.fromisoformat(plain.pop("expires_at")),
        patient_id=UUID(patient_id) if patient_id else None,
        **plain,
    )


def forget(cookie: Cookie) -> None:
    """Throw the draft away."""
    cookie.pop(_NAME, None)
