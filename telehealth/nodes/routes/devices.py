"""On a node a device's code is redeemed by the centre, which issued it."""

from collections.abc import Sequence

from flask import request

from telehealth.accounts.errors import TooManySignIns
from telehealth.accounts.rules import address_key, device_code_limits
from telehealth.accounts.services.devices import EnrolledDevice
from telehealth.accounts.services.limits import spend
from telehealth.core.errors import NotFound
from telehealth.nodes.line import HttpLine
from telehealth.nodes.services.devices import enrol_at_the_centre, know_devices
from telehealth.web.context import cipher, now, unit_of_work


def redeem_at_the_centre(code: str, kinds: Sequence[str]) -> EnrolledDevice:
    """Enrol a machine through the line. Nothing is held in the database while the centre is asked.

    Raises CentreOutOfReach, WrongDeviceCode, TooManySignIns.
    """
    with unit_of_work() as work:
        spend(work, device_code_limits(address_key(request.remote_addr)), now=now(), refusal=TooManySignIns)
        line = HttpLine.of_this_node(work, cipher())
    if line is None:
        raise NotFound
    device, parts = enrol_at_the_centre(line, code, kinds)
    with unit_of_work() as work:
        know_devices(work, parts)
    return device
