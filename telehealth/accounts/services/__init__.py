"""What the accounts feature does, one module for each thing."""

from telehealth.accounts.services.clients import add_client, revoke_client, sign_in_client
from telehealth.accounts.services.devices import (
    EnrolledDevice,
    computer_of,
    enrol_device,
    issue_device_code,
    redeem_device_code,
    revoke_device,
)
from telehealth.accounts.services.limits import spend
from telehealth.accounts.services.otp import request_otp, sign_in_with_code
from telehealth.accounts.services.pins import PinUser, pin_users, set_pin, sign_in_with_pin
from telehealth.accounts.services.resets import finish_reset, send_staff_code
from telehealth.accounts.services.sessions import SignedIn, sign_out, sign_out_everywhere, sign_out_one
from telehealth.accounts.services.sign_in_staff import (
    StaffStep,
    Where,
    check_password,
    confirm_totp,
    finish_after_enrolment,
    finish_with_device,
    finish_with_totp,
    prepare_totp,
    set_own_password,
    sign_in_staff,
    totp_to_enrol,
)
from telehealth.accounts.services.staff import (
    GrantSpec,
    NewStaff,
    create_staff,
    disable_idle_staff,
    disable_staff,
    enable_staff,
    grant_role,
    import_staff,
    staff_rows,
    withdraw_role,
)
from telehealth.accounts.services.sweep import sweep

__all__ = [
    "EnrolledDevice",
    "GrantSpec",
    "NewStaff",
    "PinUser",
    "SignedIn",
    "StaffStep",
    "Where",
    "add_client",
    "check_password",
    "computer_of",
    "confirm_totp",
    "create_staff",
    "disable_idle_staff",
    "disable_staff",
    "enable_staff",
    "enrol_device",
    "finish_after_enrolment",
    "finish_reset",
    "finish_with_device",
    "finish_with_totp",
    "grant_role",
    "import_staff",
    "issue_device_code",
    "pin_users",
    "prepare_totp",
    "redeem_device_code",
    "request_otp",
    "revoke_client",
    "revoke_device",
    "send_staff_code",
    "set_own_password",
    "set_pin",
    "sign_in_client",
    "sign_in_staff",
    "sign_in_with_code",
    "sign_in_with_pin",
    "sign_out",
    "sign_out_everywhere",
    "sign_out_one",
    "spend",
    "staff_rows",
    "sweep",
    "totp_to_enrol",
    "withdraw_role",
]
