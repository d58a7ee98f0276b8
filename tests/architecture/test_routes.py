"""Every route is guarded or public, and lets in exactly whom the policy names."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.routing import Rule as UrlRule

from telehealth.app import policy
from telehealth.core.principal import Role
from telehealth.web.guard import GUARD, PUBLIC
from tests.architecture.conftest import World
from tests.cast import bearer

PUBLIC_LIST = Path(__file__).parent / "public_routes.txt"
SMOREST = {"api-docs.openapi_json"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Door:
    """One method of one route, and what guards it."""

    method: str
    path: str
    endpoint: str
    guard: str | None
    rule: UrlRule


def doors(app: Flask) -> Iterator[Door]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.endpoint in SMOREST:
            continue
        for method in METHODS:
            if method in (rule.methods or ()):
                guard = getattr(view(app, rule.endpoint, method), GUARD, None)
                yield Door(method, rule.rule, rule.endpoint, guard, rule)


def view(app: Flask, endpoint: str, method: str) -> Callable[..., Any]:
    function = app.view_functions[endpoint]
    methods = getattr(function, "view_class", None)
    return function if methods is None else getattr(methods, method.lower())


def address(app: Flask, door: Door, values: dict[str, object]) -> str:
    filled = {
        name: values.get(name, uuid4() if "UUID" in type(door.rule._converters[name]).__name__ else "x1")
        for name in door.rule.arguments
    }
    for name in door.rule.arguments:
        if "Integer" in type(door.rule._converters[name]).__name__:
            filled[name] = 1
        if "Any" in type(door.rule._converters[name]).__name__:
            filled[name] = values.get(name) or sorted(door.rule._converters[name].items)[0]
    with app.test_request_context():
        return app.url_map.bind("localhost").build(door.endpoint, filled, method=door.method)


def ask(client: FlaskClient, door: Door, path: str, token: str | None) -> int:
    headers = {"Accept": "application/json"} | (bearer(token) if token else {"Authorization": "Bearer "})
    body = {} if door.method == "GET" else {"json": {}}
    return client.open(path, method=door.method, headers=headers, **body).status_code


def test_every_route_is_guarded_or_public(app: Flask):
    assert [f"{door.method} {door.path}" for door in doors(app) if door.guard is None] == []


def test_public_routes_are_the_listed_ones(app: Flask):
    """A new public route is a decision: write it into public_routes.txt, sorted, with the others."""
    found = sorted({f"{door.method} {door.path}" for door in doors(app) if door.guard == PUBLIC})
    assert found == PUBLIC_LIST.read_text(encoding="utf-8").split("\n")[:-1]


def test_every_guard_names_a_rule_and_every_rule_is_deny_by_default(app: Flask):
    rules = policy().rules
    assert {door.guard for door in doors(app)} - {PUBLIC} <= rules.keys()
    for name, rule in rules.items():
        assert rule.public or rule.roles, f"{name} lets nobody in"


def test_each_role_comes_in_where_the_policy_says_and_nowhere_else(
    app: Flask, client: FlaskClient, world: World, engine: Engine
):
    rules = policy().rules
    wrong = []
    for door in doors(app):
        if door.guard == PUBLIC:
            continue
        path = address(app, door, world.values)
        for role, token in world.tokens.items():
            if "session" in str(door.guard) and door.method != "GET":
                continue  # these end the very sign-in that asks
            status = ask(client, door, path, token)
            may = role is not None and (Role(role) in rules[door.guard or ""].roles)
            refused = {500} if door.guard == "account.change-own" else {401, 500}  # it asks the password
            expected = status not in refused if may else status == (401 if role is None else 403)
            sent_to_activation = path.startswith("/kiosk") and status == 302 and role != "kiosk"
            if not expected and not sent_to_activation:
                wrong.append(f"{role} {door.method} {path}: {status}")
    assert "\n".join(wrong) == ""


def test_reading_changes_nothing(app: Flask, client: FlaskClient, world: World, owner_engine: Engine):
    """Safe methods are safe (RFC 9110, 9.2.1); the trail of reads is what they leave."""
    before = snapshot(owner_engine)
    changed = []
    for door in doors(app):
        if door.method != "GET":
            continue
        path = address(app, door, world.values)
        if path.startswith("/rt/"):
            continue
        for token in world.tokens.values():
            ask(client, door, path, token)
        after = snapshot(owner_engine)
        if after != before:
            changed.append((path, sorted(name for name in after if after[name] != before[name])))
            before = after
    assert changed == []


def snapshot(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname IN ('public', 'notifications') AND tablename <> 'audit_event'"
            )
        ).scalars()
        union = " UNION ALL ".join(
            f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
            for table in tables
        )
        return dict(connection.execute(text(union)).all())


@pytest.mark.parametrize("role", ["patient", "kiosk", "integrator", "practitioner", "desk"])
def test_administration_is_for_administrators(role: str):
    powerful = [
        name
        for name, rule in policy().rules.items()
        if name.startswith(("staff.", "device.")) and Role(role) in rule.roles
    ]
    assert powerful == []
