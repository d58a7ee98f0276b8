"""Pages of the desk about people: who acts for them, their own record at 18, two records that are one."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.accounts.contacts import contact_fault, read_contact
from telehealth.accounts.services.otp import account_of
from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, Unprocessable, http_status
from telehealth.delegations import queries as delegations
from telehealth.delegations import services as delegating
from telehealth.delegations.errors import BadDelegation, DelegationNotFound
from telehealth.delegations.routes import RELATIONS
from telehealth.delegations.rules import Scope, choices_of_end
from telehealth.delegations.services import NewDelegation
from telehealth.desk.forms import written
from telehealth.desk.frame import desk_here, frame, known_person
from telehealth.desk.given import uuid_of
from telehealth.identities import services as identities
from telehealth.identities.errors import BadMerge
from telehealth.identities.queries import Described, overlaps, possible_doubles
from telehealth.identities.services import Merge
from telehealth.patients import services as people
from telehealth.patients.queries import PatientView
from telehealth.patients.rules import consent_age, is_adult
from telehealth.web.context import (
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

pages = Blueprint("desk_people", __name__, template_folder="templates", url_prefix="/desk/people")

_FIELDS = ("name", "contact", "relation", "until", "own")


@pages.get("/<uuid:patient_id>/relatives")
@guarded("desk.enter")
def relatives(patient_id: UUID) -> ResponseReturnValue:
    """Show who may act for the person, and what can be written down for whom has shown their papers."""
    return _relatives_page(patient_id, {}, [Scope.SEE.value, Scope.BOOK.value], {})


@pages.post("/<uuid:patient_id>/relatives")
@guarded("desk.enter")
def give(patient_id: UUID) -> ResponseReturnValue:
    """Write down that somebody may act for the person, whose papers were seen."""
    given, scopes = _given(), request.form.getlist("scopes")
    desk = desk_here()
    wanted = NewDelegation(
        patient_id=patient_id,
        name=given["name"],
        contact=given["contact"],
        scopes=frozenset(scopes),
        until=_date(given["until"]),
        relation=given["relation"],
    )
    try:
        with unit_of_work() as work:
            known_person(work, patient_id)
            _papers_seen("seen")
            delegating.give_at_desk(
                work,
                principal(),
                wanted,
                facility_id=desk.facility_id,
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
                page=f"{settings().public_base_url}{url_for('delegations.mine')}",
            )
    except DomainError as error:
        enter_again()
        return _relatives_page(patient_id, given, scopes, form_errors(error, "contact")), http_status(error)
    flash(t("delegations-given", name=wanted.name), "success")
    return redirect(url_for("desk_people.relatives", patient_id=patient_id), 303)


@pages.post("/<uuid:patient_id>/relatives/<uuid:delegation_id>/revoke")
@guarded("desk.enter")
def revoke(patient_id: UUID, delegation_id: UUID) -> ResponseReturnValue:
    """End a delegation at the person's word."""
    with unit_of_work() as work:
        known_person(work, patient_id)
        view = delegations.delegation(work, delegation_id)
        if view is None or view.patient_id != patient_id:
            raise DelegationNotFound
        permit("delegation.revoke", view)
        delegating.revoke(work, principal(), view, now=now())
    flash(t("delegations-revoked", name=view.delegate_name), "success")
    return redirect(url_for("desk_people.relatives", patient_id=patient_id), 303)


@pages.post("/<uuid:patient_id>/own")
@guarded("desk.enter")
def hand_over(patient_id: UUID) -> ResponseReturnValue:
    """Give a grown person, who has shown their papers, their own record under their own telephone."""
    given, desk = _given(), desk_here()
    contact, fault = read_contact(given["own"]), contact_fault(given["own"])
    try:
        with unit_of_work() as work:
            view = known_person(work, patient_id)
            if contact is None or fault is not None:
                raise Unprocessable({"own": [fault or "accounts-phone-wrong"]})
            _papers_seen("own_seen")
            people.change(
                work,
                principal(),
                view.id,
                {contact.kind: contact.value},
                version=view.version,
                now=now(),
                cipher=cipher(),
            )
            account = account_of(work, contact, language=current_locale(), now=now(), cipher=cipher())
            people.hand_over(work, principal(), view.id, account.id, facility_id=desk.facility_id, now=now())
    except DomainError as error:
        enter_again()
        return _relatives_page(patient_id, given, [], form_errors(error, "own")), http_status(error)
    flash(t("desk-own-done"), "success")
    return redirect(url_for("desk_people.relatives", patient_id=patient_id), 303)


@pages.get("/<uuid:patient_id>/merge")
@guarded("desk.enter")
def merging(patient_id: UUID) -> ResponseReturnValue:
    """Show likely doubles of a person; with `other`, both side by side."""
    return _merge_page(patient_id, request.args.get("other", ""), {})


@pages.post("/<uuid:patient_id>/merge")
@guarded("desk.enter")
def merge(patient_id: UUID) -> ResponseReturnValue:
    """Make one record of both."""
    desk, other = desk_here(), request.form.get("other", "")
    permit("identity.merge", desk.facility_id)
    try:
        with unit_of_work() as work:
            known_person(work, patient_id)
            merged = known_person(work, uuid_of(other))
            if request.form.get("same") != "yes":
                raise BadMerge({"same": ["identities-same-missing"]})
            kept = [uuid_of(value) for name, value in request.form.items() if name.startswith("keep-")]
            identities.merge(
                work,
                principal(),
                Merge(patient_id, merged.id, desk.facility_id, kept),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        enter_again()
        return _merge_page(patient_id, other, form_errors(error)), http_status(error)
    flash(t("desk-merged"), "success")
    return redirect(url_for("desk.person", patient_id=patient_id), 303)


def _relatives_page(
    patient_id: UUID, given: dict[str, str], scopes: list[str], errors: dict[str, Any]
) -> str:
    desk = desk_here()
    with unit_of_work() as work:
        view = known_person(work, patient_id)
        people.note_read(work, principal(), view.id, now=now(), facility_id=desk.facility_id)
        standing = [each for each in delegations.given_for(work, [view.id], now()) if each.stands(now())]
    today = business_date(now())
    return render_template(
        "desk/relatives.html",
        **frame(desk),
        person=view,
        delegations=standing,
        last=[each.valid_to - timedelta(seconds=1) for each in standing],
        given=given,
        scopes=scopes,
        all_scopes=list(Scope),
        relations=RELATIONS,
        ends=choices_of_end(today),
        adult=is_adult(view.birth_date, today),
        consent=consent_age(view.birth_date, today),
        errors=errors,
    )


def _merge_page(patient_id: UUID, other: str, errors: dict[str, Any]) -> str:
    desk = desk_here()
    with unit_of_work() as work:
        view = known_person(work, patient_id)
        merged = known_person(work, uuid_of(other)) if other else None
        found = _likely(work, view, desk.facility_id)
        clashes = overlaps(work, view.id, merged.id, now()) if merged else []
        shown = [view.id, *[each.id for each in found], *([merged.id] if merged else [])]
        people.note_read(
            work, principal(), *shown, now=now(), facility_id=desk.facility_id, why="patient.double"
        )
    return render_template(
        "desk/merge.html",
        **frame(desk),
        person=view,
        other=merged,
        candidates=found,
        clashes=clashes,
        birth=written,
        errors=errors,
    )


def _likely(work: Session, view: PatientView, facility_id: UUID) -> tuple[PatientView, ...]:
    described = Described.of_record(work, view.id)
    return possible_doubles(work, facility_id, described, cipher()).candidates if described else ()


def _papers_seen(name: str) -> None:
    if request.form.get(name) != "yes":
        raise BadDelegation({name: ["delegations-identity-not-seen"]})


def _given() -> dict[str, str]:
    return {name: request.form.get(name, "").strip()[:254] for name in _FIELDS}


def _date(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None
