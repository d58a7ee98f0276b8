"""On a node: a new kiosk, board or computer is enrolled through the line."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.accounts.errors import WrongDeviceCode
from telehealth.accounts.services.devices import EnrolledDevice
from telehealth.nodes import intake
from telehealth.nodes.errors import CentreOutOfReach
from telehealth.nodes.services.round import LineDown, Refused

Parts = Sequence[Mapping[str, Any]]


class DeviceLine(Protocol):
    """The way to the centre. Raises LineDown, Refused."""

    def device(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have a device's code redeemed."""


def enrol_at_the_centre(line: DeviceLine, code: str, kinds: Sequence[str]) -> tuple[EnrolledDevice, Parts]:
    """Have a code redeemed; returns the device, and the rows by which it is known.

    Raises CentreOutOfReach during a cut: a code was issued there, and is known nowhere else. WrongDeviceCode.
    """
    try:
        made = line.device({"code": code, "kinds": list(kinds)})
    except LineDown as error:
        raise CentreOutOfReach from error
    except Refused as refusal:
        raise WrongDeviceCode from refusal
    device = EnrolledDevice(
        made["token"], UUID(made["id"]), made["kind"], UUID(made["facility_id"]), made["name"]
    )
    return device, made["parts"]


def know_devices(session: Session, parts: Parts) -> None:
    """Write down the devices of the facility, before the next slice brings them."""
    intake.take_devices(session, parts)
