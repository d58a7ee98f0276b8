"""Who acts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class PrincipalKind(StrEnum):
    """What sort of actor; row-level security reads it as `app.kind`."""

    ANONYMOUS = "anonymous"
    PATIENT = "patient"
    STAFF = "staff"
    KIOSK = "kiosk"
    BOARD = "board"
    INTEGRATOR = "integrator"
    SYSTEM = "system"
    LINK = "link"  # the holder of an answer link: one appointment, and no more of it than the link says


class Role(StrEnum):
    """What an actor may be; a staff role holds at one facility or, without one, everywhere."""

    PATIENT = "patient"
    GUARDIAN = "guardian"
    PRACTITIONER = "practitioner"
    DESK = "desk"
    FACILITY_ADMIN = "facility-admin"
    PROVINCE_OFFICER = "province-officer"
    KIOSK = "kiosk"
    INTEGRATOR = "integrator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role and where it holds (None: the whole province)."""

    role: Role
    facility_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """The actor of a request or a job, as the policy sees it.

    `patient_ids` are the people the account acts for in everything; `delegated` are those it acts for in some
    actions only, by their consent and for a time.
    """

    kind: PrincipalKind = PrincipalKind.ANONYMOUS
    id: UUID | None = None
    session_id: UUID | None = None
    grants: frozenset[Grant] = field(default_factory=frozenset)
    practitioner_id: UUID | None = None
    patient_ids: frozenset[UUID] = field(default_factory=frozenset)
    delegated: Mapping[UUID, frozenset[str]] = field(default_factory=dict, hash=False)
    scopes: frozenset[str] = field(default_factory=frozenset)
    device_id: UUID | None = None
    display_name: str = ""

    @property
    def signed_in(self) -> bool:
        """Tell whether anybody is known."""
        return self.kind is not PrincipalKind.ANONYMOUS

    def acts_for(self, patient_id: UUID | None, action: str) -> bool:
        """Tell whether the action on this person's things is the principal's, by relation or delegation."""
        if patient_id is None:
            return False
        return patient_id in self.patient_ids or action in self.delegated.get(patient_id, frozenset())

    def people(self, action: str) -> frozenset[UUID]:
        """Return everybody the principal acts for in an action."""
        return self.patient_ids | {person for person, actions in self.delegated.items() if action in actions}

    def has(self, role: Role) -> bool:
        """Tell whether the role holds anywhere."""
        return self.has_any(frozenset({role}))

    def holds_at(self, facility_id: UUID | None, *roles: Role) -> bool:
        """Tell whether one of the roles holds at the facility; a province-wide one holds at each."""
        return facility_id is not None and any(
            grant.role in roles and grant.facility_id in (None, facility_id) for grant in self.grants
        )

    def has_any(self, roles: frozenset[Role]) -> bool:
        """Tell whether one of the roles holds anywhere."""
        return any(grant.role in roles for grant in self.grants)

    def facilities(self, *roles: Role) -> frozenset[UUID]:
        """Return the facilities that grants of these roles (any, if none is named) name.

        For choosing among one's own: a province-wide role names none. Rights ask `holds_at`.
        """
        return frozenset(
            grant.facility_id
            for grant in self.grants
            if grant.facility_id is not None and (not roles or grant.role in roles)
        )


ANONYMOUS = Principal()
SYSTEM = Principal(kind=PrincipalKind.SYSTEM, grants=frozenset({Grant(Role.SYSTEM)}), display_name="system")
