"""Who may act for me: pages and API."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session

from telehealth.accounts.browser import where
from telehealth.accounts.queries import contact_of_account
from telehealth.accounts.rules import OTP_LIFETIME
from telehealth.accounts.services.own_code import send_own_code
from telehealth.audit.queries import Event
from telehealth.core.clock import business_date
from telehealth.core.crypto import CannotOpen
from telehealth.core.errors import DomainError, Forbidden, Unauthenticated, http_status
from telehealth.core.principal import PrincipalKind
from telehealth.delegations import queries, schemas, services
from telehealth.delegations.errors import BadDelegation, DelegationNotFound
from telehealth.delegations.queries import DelegationView
from telehealth.delegations.rules import Scope, choices_of_end
from telehealth.delegations.services import NewDelegation, Proof
from telehealth.patients import queries as patients
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.models import Relation
from telehealth.patients.policies import registering_facility
from telehealth.patients.services import note_read
from telehealth.web.context import (
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    session,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, format_date, has_message, t

pages = Blueprint("delegations", __name__, template_folder="templates", url_prefix="/account/delegates")
api = ApiBlueprint("delegations-api", __name__, url_prefix="/api/v1", description="Letting somebody else act")

_DRAFT = "delegation"
_CONTEXT = b"delegations.draft"
RELATIONS = (Relation.CHILD, Relation.SPOUSE, Relation.PARENT, Relation.RELATIVE, Relation.OTHER)
_FIELDS = ("patient", "name", "contact", "relation", "until")


@pages.app_template_filter()
def last_day(end: datetime) -> str:
    """Return the last day on which something holds that ends at midnight."""
    return format_date(end - timedelta(seconds=1))


@pages.app_template_filter()
def done_text(event: Event) -> str:
    """Say in everyday words what somebody did."""
    key = f"delegations-did-{event.action.replace('.', '-').replace('_', '-')}"
    return t(key) if has_message("vi", key) else t("delegations-did-other", action=event.action)


@pages.get("")
@guarded("delegation.list")
def mine() -> ResponseReturnValue:
    """Show who may act for whom, and what they did."""
    with unit_of_work() as work:
        given = queries.given_for(work, principal().patient_ids, now())
        held = queries.held_by(work, _me(), now())
        done = {view.id: queries.done_by(work, view) for view in given}
        note_read(work, principal(), *{view.patient_id for view in held}, now=now())
        may_give = bool(queries.may_delegate(work, principal(), now()))
    return render_template(
        "delegations/list.html",
        given=[view for view in given if view.stands(now())],
        ended=[view for view in given if not view.stands(now())],
        held=held,
        done=done,
        may_give=may_give,
    )


@pages.get("/new")
@guarded("delegation.give")
def new() -> ResponseReturnValue:
    """Ask whom to let act, for what and until when; who comes back finds what they had said."""
    draft = _draft() or {"given": {"relation": Relation.CHILD.value}, "scopes": [Scope.SEE.value]}
    return _form_page(draft["given"], draft["scopes"], {})


@pages.post("/new")
@guarded("delegation.give")
def ask() -> ResponseReturnValue:
    """Keep the answers and send a code to the giver's own phone."""
    given = {name: request.form.get(name, "").strip()[:254] for name in _FIELDS}
    scopes = request.form.getlist("scopes")
    try:
        wanted = _wanted(given, scopes)
        if request.form.get("agree") != "yes":
            raise BadDelegation({"agree": ["delegations-agree-missing"]})
        with unit_of_work() as work:
            services.check(work, principal(), wanted, now())
            challenge_id = _send_code(work)
    except DomainError as error:
        enter_again()
        return _form_page(given, scopes, form_errors(error, "contact")), http_status(error)
    _keep({"given": given, "scopes": scopes, "challenge": str(challenge_id)})
    return redirect(url_for("delegations.confirm"), 303)


@pages.get("/confirm")
@guarded("delegation.give")
def confirm() -> ResponseReturnValue:
    """Ask for the code, with what it will allow."""
    draft = _draft()
    return redirect(url_for("delegations.new")) if draft is None else _confirm_page(draft, {})


@pages.post("/confirm")
@guarded("delegation.give")
def give() -> ResponseReturnValue:
    """Let them act."""
    draft = _draft()
    if draft is None:
        return redirect(url_for("delegations.new"), 303)
    proof = Proof(UUID(draft["challenge"]), request.form.get("code", "")[:40])
    try:
        with unit_of_work() as work:
            wanted = _wanted(draft["given"], draft["scopes"])
            services.give_by_code(work, principal(), wanted, proof, now=now(), cipher=cipher())
    except DomainError as error:
        enter_again()
        return _confirm_page(draft, form_errors(error, "code")), http_status(error)
    cookie.pop(_DRAFT, None)
    flash(t("delegations-given-tell", name=wanted.name), "success")
    return redirect(url_for("delegations.mine"), 303)


@pages.post("/confirm/again")
@guarded("delegation.give")
def send_again() -> ResponseReturnValue:
    """Send the giver another code."""
    draft = _draft()
    if draft is None:
        return redirect(url_for("delegations.new"), 303)
    try:
        with unit_of_work() as work:
            challenge_id = _send_code(work)
    except DomainError as error:
        enter_again()
        return _confirm_page(draft, form_errors(error, "code")), http_status(error)
    _keep(draft | {"challenge": str(challenge_id)})
    flash(t("delegations-code-sent-again"), "success")
    return redirect(url_for("delegations.confirm"), 303)


@pages.post("/<uuid:delegation_id>/revoke")
@guarded("delegation.revoke")
def revoke(delegation_id: UUID) -> ResponseReturnValue:
    """End it at once, with one tap."""
    with unit_of_work() as work:
        view = _revoked(work, delegation_id)
    own = view.account_id == principal().id
    flash(t("delegations-given-up" if own else "delegations-revoked", name=view.delegate_name), "success")
    return redirect(url_for("delegations.mine"), 303)


@api.route("/delegations")
class Delegations(MethodView):
    """Who may act for whom."""

    @guarded("delegation.list")
    @api.response(200, schemas.DelegationList)
    def get(self) -> dict[str, Any]:
        """List what the caller's people have given, and what the caller holds."""
        with unit_of_work() as work:
            given = queries.given_for(work, principal().patient_ids, now())
            held = queries.held_by(work, _me(), now())
            note_read(work, principal(), *{view.patient_id for view in held}, now=now())
        return {"given": given, "held": held}

    @guarded("delegation.give")
    @api.arguments(schemas.DelegationRequest)
    @api.response(201, schemas.DelegationBody)
    def post(self, body: dict[str, Any]) -> DelegationView:
        """Let somebody act: by the code sent to one's own address, or at a desk that saw the papers."""
        wanted = NewDelegation(
            patient_id=body["patient_id"],
            name=body["name"],
            contact=body["contact"],
            scopes=frozenset(body["scopes"]),
            until=body["until"],
            relation=body["relation"],
        )
        with unit_of_work() as work:
            given = _given_here if principal().kind is PrincipalKind.STAFF else _given_by_code
            return _seen(work, given(work, wanted, body))


@api.post("/delegations/code")
@guarded("delegation.give")
@api.response(202, schemas.CodeSent)
def send_code() -> dict[str, Any]:
    """Send a code to the caller's own address, to confirm a delegation with."""
    if principal().kind is not PrincipalKind.PATIENT:
        raise Forbidden
    with unit_of_work() as work:
        challenge_id = _send_code(work)
    return {"challenge_id": challenge_id, "expires_in": int(OTP_LIFETIME.total_seconds())}


@api.delete("/delegations/<uuid:delegation_id>")
@guarded("delegation.revoke")
@api.response(204)
def end(delegation_id: UUID) -> None:
    """End a delegation at once: the giver, the desk, or whoever holds it."""
    with unit_of_work() as work:
        _revoked(work, delegation_id)


def _given_by_code(work: Session, wanted: NewDelegation, body: Mapping[str, Any]) -> UUID:
    if "challenge_id" not in body or "code" not in body:
        raise BadDelegation({"code": ["delegations-code-missing"]})
    proof = Proof(body["challenge_id"], body["code"])
    return services.give_by_code(work, principal(), wanted, proof, now=now(), cipher=cipher())


def _given_here(work: Session, wanted: NewDelegation, body: Mapping[str, Any]) -> UUID:
    facility_id = registering_facility(principal(), body.get("facility_id"))
    if not body["identity_seen"]:
        raise BadDelegation({"identity_seen": ["delegations-identity-not-seen"]})
    person = patients.patient(work, wanted.patient_id, cipher())
    if facility_id is None or person is None or facility_id not in person.facility_ids:
        raise PatientNotFound
    return services.give_at_desk(
        work,
        principal(),
        wanted,
        facility_id=facility_id,
        now=now(),
        cipher=cipher(),
        outbox=outbox(),
        page=f"{settings().public_base_url}{url_for('delegations.mine')}",
    )


def _send_code(work: Session) -> UUID:
    return send_own_code(
        work,
        principal(),
        purpose=services.PURPOSE,
        ip=where().ip,
        language=current_locale(),
        now=now(),
        cipher=cipher(),
        outbox=outbox(),
    )


def _revoked(work: Session, delegation_id: UUID) -> DelegationView:
    view = _seen(work, delegation_id)
    permit("delegation.revoke", view)
    services.revoke(work, principal(), view, now=now())
    return view


def _seen(work: Session, delegation_id: UUID) -> DelegationView:
    view = queries.delegation(work, delegation_id)
    if view is None:
        raise DelegationNotFound
    return view


def _wanted(given: Mapping[str, str], scopes: list[str]) -> NewDelegation:
    return NewDelegation(
        patient_id=_uuid(given["patient"]),
        name=given["name"],
        contact=given["contact"],
        scopes=frozenset(scopes),
        until=_date(given["until"]),
        relation=given["relation"],
    )


def _form_page(given: Mapping[str, str], scopes: list[str], errors: dict[str, Any]) -> str:
    people = queries.may_delegate(session(), principal(), now())
    return render_template(
        "delegations/new.html",
        people=people,
        given=given,
        scopes=scopes,
        all_scopes=list(Scope),
        relations=RELATIONS,
        ends=choices_of_end(business_date(now())),
        errors=errors,
    )


def _confirm_page(draft: dict[str, Any], errors: dict[str, Any]) -> str:
    contact = contact_of_account(session(), _me(), cipher())
    return render_template(
        "delegations/confirm.html",
        given=draft["given"],
        scopes=[scope for scope in Scope if scope is Scope.SEE or scope.value in draft["scopes"]],
        until=_date(draft["given"]["until"]),
        contact=contact,
        errors=errors,
    )


def _keep(draft: dict[str, Any]) -> None:
    sealed = cipher().seal(json.dumps(draft, ensure_ascii=False).encode(), _CONTEXT)
    cookie[_DRAFT] = base64.b64encode(sealed).decode()


def _draft() -> dict[str, Any] | None:
    try:
        sealed = base64.b64decode(str(cookie.get(_DRAFT, "")))
        draft: dict[str, Any] = json.loads(cipher().open(sealed, _CONTEXT))
    except (CannotOpen, binascii.Error, IndexError, ValueError):
        return None
    return draft


def _me() -> UUID:
    actor = principal()
    if actor.id is None:
        raise Unauthenticated
    return actor.id


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise BadDelegation({"patient": ["delegations-patient-missing"]}) from error


def _date(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None
