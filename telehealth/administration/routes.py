"""Pages of administration."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.accounts import queries as accounts
from telehealth.accounts.services import staff_rows
from telehealth.administration import services
from telehealth.administration.errors import UnreadableTable
from telehealth.administration.tables import read_rows
from telehealth.audit.queries import events_of_facility
from telehealth.core.errors import DomainError, Unprocessable, http_status
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery, FacilityView
from telehealth.web.context import cipher, now, outbox, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("administration", __name__, template_folder="templates", url_prefix="/admin")

_KINDS = ("computer", "kiosk", "board")
_LONGEST_NAME = 60
_ALL_FACILITIES = 500


@pages.get("")
@guarded("administration.enter")
def enter() -> ResponseReturnValue:
    """Go to one's own facility, or to the province."""
    permit("administration.enter")
    own = sorted(principal().facilities(Role.FACILITY_ADMIN))
    if own:
        return redirect(url_for("administration.staff", facility_id=own[0]))
    return redirect(url_for("administration.province"))


@pages.get("/province")
@guarded("administration.province")
def province() -> str:
    """Show the province's facilities and how many people work there with an account."""
    permit("administration.province")
    found = directory.facilities(session(), FacilityQuery(limit=_ALL_FACILITIES)).items
    return render_template(
        "administration/province.html",
        facilities=found,
        staff=accounts.staff_counts(session(), now()),
        current="province",
    )


@pages.get("/facilities/<uuid:facility_id>/staff")
@guarded("staff.list")
def staff(facility_id: UUID) -> str:
    """Show who works at the facility."""
    permit("staff.list", facility_id)
    return _staff_page(facility_id, {})


@pages.post("/facilities/<uuid:facility_id>/staff/import")
@guarded("staff.change")
def import_staff(facility_id: UUID) -> ResponseReturnValue:
    """Make accounts from a table; all or nothing."""
    permit("staff.change", facility_id)
    try:
        rows = read_rows(_uploaded())
        with unit_of_work() as work:
            place = directory.facility(work, facility_id)
            people, faults = staff_rows(
                rows,
                {place.code: facility_id},
                {row.licence_no: row.id for row in _practitioners(place)},
                roles=services.FACILITY_ROLES,
            )
            if faults:
                return _staff_page(facility_id, {}, faults=faults), 422
            created, known = services.admit(
                work, principal(), facility_id, people, now=now(), cipher=cipher()
            )
    except DomainError as error:
        return _staff_page(facility_id, form_errors(error, "table")), http_status(error)
    flash(t("administration-imported", created=created, known=known), "success")
    return _back_to_staff(facility_id)


@pages.post("/facilities/<uuid:facility_id>/staff/invite")
@guarded("staff.change")
def invite(facility_id: UUID) -> ResponseReturnValue:
    """Send codes to everybody who never signed in."""
    permit("staff.change", facility_id)
    with unit_of_work() as work:
        sent = services.invite_all(
            work, principal(), facility_id, now=now(), cipher=cipher(), outbox=outbox()
        )
    flash(t("administration-invited", count=sent), "success")
    return _back_to_staff(facility_id)


@pages.post("/facilities/<uuid:facility_id>/staff/<uuid:account_id>/code")
@guarded("staff.change")
def reset(facility_id: UUID, account_id: UUID) -> ResponseReturnValue:
    """Send somebody the code to choose a new password with."""
    permit("staff.change", facility_id)
    with unit_of_work() as work:
        services.send_code(
            work,
            principal(),
            facility_id,
            account_id,
            lost_authenticator=request.form.get("lost") == "yes",
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    flash(t("administration-code-sent"), "success")
    return _back_to_staff(facility_id)


@pages.post("/facilities/<uuid:facility_id>/staff/<uuid:account_id>/roles")
@guarded("staff.change")
def roles(facility_id: UUID, account_id: UUID) -> ResponseReturnValue:
    """Give or withdraw a role."""
    permit("staff.change", facility_id)
    with unit_of_work() as work:
        for role in services.FACILITY_ROLES:
            services.set_role(
                work,
                principal(),
                facility_id,
                account_id,
                role,
                holds=role.value in request.form.getlist("roles"),
                now=now(),
            )
    flash(t("administration-roles-set"), "success")
    return _back_to_staff(facility_id)


@pages.post("/facilities/<uuid:facility_id>/staff/<uuid:account_id>/let-go")
@guarded("staff.change")
def let_go(facility_id: UUID, account_id: UUID) -> ResponseReturnValue:
    """End somebody's work at the facility."""
    permit("staff.change", facility_id)
    with unit_of_work() as work:
        services.let_go(work, principal(), facility_id, account_id, now=now())
    flash(t("administration-let-go-done"), "success")
    return _back_to_staff(facility_id)


@pages.get("/facilities/<uuid:facility_id>/devices")
@guarded("device.list")
def devices(facility_id: UUID) -> str:
    """Show the facility's devices."""
    permit("device.list", facility_id)
    return _devices_page(facility_id, {})


@pages.post("/facilities/<uuid:facility_id>/devices")
@guarded("device.change")
def new_device(facility_id: UUID) -> ResponseReturnValue:
    """Show a code that makes one machine a device."""
    permit("device.change", facility_id)
    kind, name = request.form.get("kind", ""), request.form.get("name", "").strip()[:_LONGEST_NAME]
    try:
        if kind not in _KINDS or not name:
            raise Unprocessable({"name": ["administration-device-name-missing"]})
        with unit_of_work() as work:
            code = services.new_device_code(
                work, principal(), facility_id, kind=kind, name=name, now=now(), cipher=cipher()
            )
    except DomainError as error:
        return _devices_page(facility_id, form_errors(error, "name")), http_status(error)
    return _devices_page(facility_id, {}, code=code, kind=kind)


@pages.post("/facilities/<uuid:facility_id>/devices/<uuid:device_id>/revoke")
@guarded("device.change")
def revoke_device(facility_id: UUID, device_id: UUID) -> ResponseReturnValue:
    """Turn a device into a plain machine."""
    permit("device.change", facility_id)
    with unit_of_work() as work:
        services.revoke_device(work, principal(), facility_id, device_id, now=now())
    flash(t("administration-device-revoked"), "success")
    return redirect(url_for("administration.devices", facility_id=facility_id))


@pages.get("/facilities/<uuid:facility_id>/trail")
@guarded("administration.trail")
def trail(facility_id: UUID) -> str:
    """Show what was done at the facility."""
    permit("administration.trail", facility_id)
    events = events_of_facility(session(), facility_id)
    staff = {event.actor_id for event in events if event.actor_id is not None and event.actor_kind == "staff"}
    names = accounts.account_names(session(), staff)
    return render_template(
        "administration/trail.html", **_frame(facility_id, "trail"), events=events, names=names
    )


def _staff_page(facility_id: UUID, errors: dict[str, Any], faults: Any = ()) -> str:
    found = accounts.staff_of(session(), facility_id, now())
    return render_template(
        "administration/staff.html",
        **_frame(facility_id, "staff"),
        staff=found,
        waiting=sum(not row.activated and not row.disabled for row in found),
        roles=[role.value for role in services.FACILITY_ROLES],
        errors=errors,
        faults=faults,
    )


def _devices_page(
    facility_id: UUID, errors: dict[str, Any], *, code: str | None = None, kind: str = "computer"
) -> str:
    return render_template(
        "administration/devices.html",
        **_frame(facility_id, "devices"),
        devices=accounts.devices_of(session(), facility_id),
        kinds=[(known, t(f"administration-device-{known}")) for known in _KINDS],
        kind=kind,
        code=code,
        errors=errors,
    )


def _frame(facility_id: UUID, current: str) -> dict[str, Any]:
    own = principal().facilities(Role.FACILITY_ADMIN)
    places = directory.facilities_by_id(session(), list(own))
    return {
        "facility": places[facility_id],
        "others": [place for place in places.values() if place.id != facility_id],
        "current": current,
    }


def _practitioners(place: FacilityView) -> Any:
    return directory.practitioners(session(), facility_code=place.code, limit=_ALL_FACILITIES).items


def _uploaded() -> bytes:
    upload = request.files.get("table")
    if upload is None or not upload.filename:
        raise UnreadableTable
    raw: bytes = upload.read()
    return raw


def _back_to_staff(facility_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("administration.staff", facility_id=facility_id))
