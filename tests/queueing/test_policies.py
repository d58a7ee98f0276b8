"""Who may do what at a queue, and where."""

from uuid import uuid4

import pytest

from telehealth.core.permit import Policy
from telehealth.core.principal import ANONYMOUS, Grant, Principal, PrincipalKind, Role
from telehealth.queueing.policies import RULES

HERE, ELSEWHERE = uuid4(), uuid4()
POLICY = Policy(RULES)
OPEN = {name for name, rule in RULES.items() if rule.public}


def holding(role: Role, kind: PrincipalKind = PrincipalKind.STAFF) -> Principal:
    return Principal(kind=kind, id=uuid4(), grants=frozenset({Grant(role, HERE)}))


def allowed(principal: Principal, facility_id: object) -> set[str]:
    return {name for name in RULES if POLICY.permit(principal, name, facility_id)}


def test_a_kiosk_gives_numbers_and_checks_in_where_it_stands():
    kiosk = holding(Role.KIOSK, PrincipalKind.KIOSK)
    own = {"ticket.issue", "ticket.print", "appointment.check-in"}
    assert allowed(kiosk, HERE) == OPEN | own
    assert allowed(kiosk, ELSEWHERE) == OPEN
    assert allowed(kiosk, None) == OPEN


@pytest.mark.parametrize("role", [Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN])
def test_staff_work_the_queues_of_their_own_facility_only(role: Role):
    assert {"queue.call", "ticket.step", "clinic.use", "staff-call.answer"} <= allowed(holding(role), HERE)
    assert allowed(holding(role), ELSEWHERE) == OPEN


@pytest.mark.parametrize(
    "principal",
    [
        ANONYMOUS,
        Principal(kind=PrincipalKind.KIOSK, id=uuid4(), device_id=uuid4()),
        holding(Role.PATIENT, PrincipalKind.PATIENT),
        holding(Role.INTEGRATOR, PrincipalKind.INTEGRATOR),
        holding(Role.PROVINCE_OFFICER),
    ],
    ids=["nobody", "a board", "patient", "integrator", "province officer"],
)
def test_who_gives_no_numbers_only_looks_at_boards_and_slips(principal: Principal):
    assert allowed(principal, HERE) == OPEN == {"queue.read", "ticket.follow"}
