"""Where a device's code is redeemed: here, or by whoever issued it."""

from collections.abc import Callable, Sequence

from flask import Flask, current_app

from telehealth.accounts.browser import where
from telehealth.accounts.services.devices import BOARD, KIOSK, EnrolledDevice, redeem_device_code
from telehealth.web.context import cipher, now, unit_of_work

Redeem = Callable[[str, Sequence[str]], EnrolledDevice]
"""Takes a code and the kinds it may be for."""

_REDEEM = "device-enrolment"


def redeem_elsewhere(app: Flask, redeem: Redeem) -> None:
    """Have codes redeemed by others than this application: a node has them from the centre."""
    app.extensions[_REDEEM] = redeem


def enrolled(code: str, kinds: Sequence[str] = (KIOSK, BOARD)) -> EnrolledDevice:
    """Use up a code for one of these kinds. Raises WrongDeviceCode, TooManySignIns."""
    redeem: Redeem = current_app.extensions.get(_REDEEM, _redeem_here)
    return redeem(code, kinds)


def _redeem_here(code: str, kinds: Sequence[str]) -> EnrolledDevice:
    with unit_of_work() as work:
        return redeem_device_code(work, code=code, ip=where().ip, now=now(), cipher=cipher(), kinds=kinds)
