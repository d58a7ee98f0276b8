"""Kiosks, boards and the shared computers of a hospital."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, true, update
from sqlalchemy.orm import Session

from telehealth.accounts.errors import TooManySignIns, WrongDeviceCode
from telehealth.accounts.models import AccessSession, Device, DeviceEnrolment, DeviceUser
from telehealth.accounts.rules import (
    DEVICE_CODE_LIFETIME,
    DEVICE_LIFETIME,
    STAFF_CODE_LENGTH,
    address_key,
    clean_code,
    device_code_limits,
)
from telehealth.accounts.services.limits import spend
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.ids import new_code, new_id, new_secret
from telehealth.core.principal import PrincipalKind

KIOSK, BOARD, COMPUTER = "kiosk", "board", "computer"
_CODE_INDEX = "device_enrolment.code"


@dataclass(frozen=True, slots=True)
class EnrolledDevice:
    """A machine that is a device now. `token` is shown this once."""

    token: str
    device_id: UUID
    kind: str
    facility_id: UUID
    name: str


def issue_device_code(
    session: Session,
    *,
    kind: str,
    facility_id: UUID,
    name: str,
    created_by: UUID | None,
    now: datetime,
    cipher: FieldCipher,
) -> str:
    """Return a code that makes one machine a device of the facility, within a quarter of an hour."""
    code = new_code(STAFF_CODE_LENGTH)
    session.execute(
        insert(DeviceEnrolment).values(
            id=new_id(),
            code_index=cipher.index_text(code, _CODE_INDEX),
            kind=kind,
            facility_id=facility_id,
            name=name,
            created_by=created_by,
            created_at=now,
            expires_at=now + DEVICE_CODE_LIFETIME,
        )
    )
    return code


def redeem_device_code(
    session: Session,
    *,
    code: str,
    ip: str | None,
    now: datetime,
    cipher: FieldCipher,
    kinds: Sequence[str] = (KIOSK, BOARD),
    facility_id: UUID | None = None,
) -> EnrolledDevice:
    """Use up an enrolment code for one of these kinds, of one facility or of any.

    Raises WrongDeviceCode, TooManySignIns.
    """
    spend(session, device_code_limits(address_key(ip)), now=now, refusal=TooManySignIns)
    found = session.execute(
        update(DeviceEnrolment)
        .where(
            DeviceEnrolment.code_index == cipher.index_text(clean_code(code), _CODE_INDEX),
            DeviceEnrolment.kind.in_(kinds),
            true() if facility_id is None else DeviceEnrolment.facility_id == facility_id,
            DeviceEnrolment.used_at.is_(None),
            DeviceEnrolment.expires_at > now,
        )
        .values(used_at=now)
        .returning(
            DeviceEnrolment.kind,
            DeviceEnrolment.facility_id,
            DeviceEnrolment.name,
            DeviceEnrolment.created_by,
        )
    ).one_or_none()
    if found is None:
        raise WrongDeviceCode
    return enrol_device(
        session,
        kind=found.kind,
        facility_id=found.facility_id,
        name=found.name,
        enrolled_by=found.created_by,
        now=now,
    )


def enrol_device(
    session: Session, *, kind: str, facility_id: UUID, name: str, enrolled_by: UUID | None, now: datetime
) -> EnrolledDevice:
    """Admit a machine. Kiosks and boards may call with the token; a computer only proves what it is."""
    device_id, token = new_id(), new_secret()
    session.execute(
        insert(Device).values(
            id=device_id,
            kind=kind,
            facility_id=facility_id,
            name=name,
            token_hash=token_hash(token),
            enrolled_by=enrolled_by,
            enrolled_at=now,
        )
    )
    if kind != COMPUTER:
        _open_for_device(session, device_id, PrincipalKind(kind), token, now)
    return EnrolledDevice(token, device_id, kind, facility_id, name)


def computer_of(session: Session, device_token: str | None) -> Device | None:
    """Return the enrolled computer a cookie stands for."""
    if not device_token:
        return None
    return session.execute(
        select(Device).where(
            Device.token_hash == token_hash(device_token),
            Device.kind == COMPUTER,
            Device.revoked_at.is_(None),
        )
    ).scalar_one_or_none()


def revoke_device(session: Session, device_id: UUID, now: datetime) -> None:
    """Turn a device into a plain machine again, at once."""
    session.execute(
        update(Device).where(Device.id == device_id, Device.revoked_at.is_(None)).values(revoked_at=now)
    )
    session.execute(
        update(AccessSession)
        .where(AccessSession.device_id == device_id, AccessSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.execute(delete(DeviceUser).where(DeviceUser.device_id == device_id))


def _open_for_device(
    session: Session, device_id: UUID, kind: PrincipalKind, token: str, now: datetime
) -> None:
    session.execute(
        insert(AccessSession).values(
            id=new_id(),
            token_hash=token_hash(token),
            kind=kind.value,
            device_id=device_id,
            mfa=False,
            created_at=now,
            expires_at=now + DEVICE_LIFETIME.absolute,
            last_seen_at=now,
        )
    )
