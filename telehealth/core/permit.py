"""Who may do what: one table of rules, gathered from the features by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from telehealth.core.errors import Forbidden, Unauthenticated
from telehealth.core.principal import Principal, PrincipalKind, Role

Relation = Callable[[Principal, Any], bool]


def always(principal: Principal, resource: Any) -> bool:
    """The role alone decides."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """Roles that may ever do an action, and the relation to the thing that must hold besides.

    `public`: nobody need be signed in. `scoped`: another system needs the action among its scopes.
    Rules are pure and deny by default.
    """

    roles: frozenset[Role] = frozenset()
    when: Relation = always
    public: bool = False
    scoped: bool = True


Rules = Mapping[str, Rule]


def at_facility(*roles: Role) -> Rule:
    """Return the rule of an action on a facility (its id is the resource) where one of the roles holds."""

    def works_there(principal: Principal, facility_id: UUID | None) -> bool:
        return principal.holds_at(facility_id, *roles)

    return Rule(frozenset(roles), works_there)


@dataclass(frozen=True, slots=True)
class Policy:
    """Every action's rule, by name (`appointment.read`)."""

    rules: Rules

    def may_ever(self, principal: Principal, action: str) -> bool:
        """Tell whether the principal's roles allow the action on anything at all."""
        rule = self.rules[action]
        return rule.public or (
            principal.has_any(rule.roles) and (not rule.scoped or _in_scope(principal, action))
        )

    def permit(self, principal: Principal, action: str, resource: Any = None) -> bool:
        """Tell whether the principal may do the action to the resource."""
        rule = self.rules[action]
        if rule.public:
            return rule.when(principal, resource)
        return self.may_ever(principal, action) and rule.when(principal, resource)

    def require(self, principal: Principal, action: str, resource: Any = None) -> None:
        """Raise Unauthenticated or Forbidden unless permitted."""
        if self.permit(principal, action, resource):
            return
        if not principal.signed_in:
            raise Unauthenticated
        raise Forbidden


def _in_scope(principal: Principal, action: str) -> bool:
    """Another system does only what its scopes name; people and devices have none."""
    return principal.kind is not PrincipalKind.INTEGRATOR or action in principal.scopes


def gather(*features: Rules) -> Policy:
    """Return one policy of several features' rules. Raises ValueError on a name used twice."""
    merged: dict[str, Rule] = {}
    for rules in features:
        twice = merged.keys() & rules.keys()
        if twice:
            msg = f"rule defined twice: {sorted(twice)}"
            raise ValueError(msg)
        merged.update(rules)
    return Policy(merged)
