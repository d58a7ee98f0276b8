"""The policy: roles, where they hold, and what other systems were given."""

from uuid import uuid4

import pytest

from telehealth.app import policy
from telehealth.booking.policies import AppointmentScope
from telehealth.core.permit import Rule, at_facility, gather
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role

HERE, THERE = uuid4(), uuid4()


def staff(*grants: Grant) -> Principal:
    return Principal(PrincipalKind.STAFF, id=uuid4(), grants=frozenset(grants))


def another_system(*scopes: str) -> Principal:
    grants = frozenset({Grant(Role.INTEGRATOR, HERE)})
    return Principal(PrincipalKind.INTEGRATOR, id=uuid4(), grants=grants, scopes=frozenset(scopes))


def test_a_role_holds_at_its_facility_and_one_without_at_each():
    clerk, officer = staff(Grant(Role.DESK, HERE)), staff(Grant(Role.DESK))
    assert clerk.holds_at(HERE, Role.DESK)
    assert not clerk.holds_at(THERE, Role.DESK)
    assert not clerk.holds_at(HERE, Role.PRACTITIONER)
    assert officer.holds_at(HERE, Role.DESK)
    assert not officer.holds_at(None, Role.DESK)


def test_roles_at_two_facilities_do_not_mix():
    rules = gather({"use": at_facility(Role.FACILITY_ADMIN)})
    mixed = staff(Grant(Role.FACILITY_ADMIN, HERE), Grant(Role.DESK, THERE))
    assert rules.permit(mixed, "use", HERE)
    assert not rules.permit(mixed, "use", THERE)


def test_who_is_a_doctor_there_and_a_clerk_here_cancels_here_only():
    mixed = staff(Grant(Role.DESK, HERE), Grant(Role.PRACTITIONER, THERE))
    assert policy().permit(mixed, "booking.cancel", AppointmentScope(HERE, uuid4()))
    assert not policy().permit(mixed, "booking.cancel", AppointmentScope(THERE, uuid4()))
    assert policy().permit(mixed, "booking.read", AppointmentScope(THERE, uuid4()))


def test_having_booked_is_no_right_to_the_appointment_of_a_person_one_left():
    account, person = uuid4(), uuid4()
    grants = frozenset({Grant(Role.PATIENT)})
    left = Principal(PrincipalKind.PATIENT, id=account, grants=grants)
    family = Principal(PrincipalKind.PATIENT, id=account, grants=grants, patient_ids=frozenset({person}))
    for action in ("booking.read", "booking.cancel"):
        assert policy().permit(family, action, AppointmentScope(HERE, person, account))
        assert not policy().permit(left, action, AppointmentScope(HERE, person, account))
        assert policy().permit(left, action, AppointmentScope(HERE, None, account)), (
            "a hold without a patient"
        )


@pytest.mark.parametrize(("scopes", "allowed"), [((), False), (("patient.read",), False), (("use",), True)])
def test_another_system_does_what_its_scopes_name(scopes: tuple[str, ...], allowed: bool):
    rules = gather({"use": at_facility(Role.INTEGRATOR)})
    caller = another_system(*scopes)
    assert rules.may_ever(caller, "use") is allowed
    assert rules.permit(caller, "use", HERE) is allowed
    assert not rules.permit(caller, "use", THERE)


def test_what_is_public_and_giving_a_token_back_need_no_scope():
    rules = gather({"look": Rule(public=True), "end": Rule(frozenset({Role.INTEGRATOR}), scoped=False)})
    assert rules.permit(another_system(), "look")
    assert rules.permit(another_system(), "end")
