"""The calendar that telephones fetch, and the page and API that give out its address."""

# mypy: disable-error-code="untyped-decorator"

from datetime import timedelta
from uuid import UUID

import segno
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint
from markupsafe import Markup

from telehealth.booking.presentation import calendar_event, empty_calendar
from telehealth.calendars import queries, services
from telehealth.calendars.schemas import FeedSchema, FeedStateSchema
from telehealth.core.errors import NotFound
from telehealth.web.context import now, permit, principal, session, settings, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.localization import LOCALES, t, translate

pages = Blueprint("calendars", __name__, template_folder="templates")
api = ApiBlueprint("calendars-api", __name__, url_prefix="/api/v1", description="Calendar subscription")

_LONGEST_TOKEN = 64
_REFRESH = timedelta(hours=1)


@pages.get("/calendar/<token>.ics")
@public
def feed(token: str) -> Response:
    """Give a family's appointments to the calendar that has the address: when and where, no name."""
    locale = request.args.get("lang", "vi")
    if len(token) > _LONGEST_TOKEN or locale not in LOCALES:
        raise NotFound
    with unit_of_work() as work:
        family = queries.enter(work, token, now())
        if family is None:
            raise NotFound
        calendar = empty_calendar("PUBLISH")
        calendar.add("x-wr-calname", translate(locale, "calendars-name"))
        calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
        for view in queries.appointments(work, family, now()):
            calendar.add_component(
                calendar_event(
                    view,
                    base_url=settings().public_base_url,
                    stamp=view.agreed_at or view.created_at,
                    locale=locale,
                )
            )
        answer = Response(calendar.to_ical(), mimetype="text/calendar")
        answer.add_etag()
        answer.make_conditional(request.environ)
        if answer.status_code == 200:
            services.note_fetched(work, family, now=now())
    return answer


@pages.get("/appointments/calendar")
@guarded("calendar.manage")
def address() -> str:
    """Say what an address for the calendar is, and since when there is one."""
    permit("calendar.manage")
    return render_template("calendars/address.html", feed=queries.feed_of(session(), _account()), url=None)


@pages.post("/appointments/calendar")
@guarded("calendar.manage")
def renew() -> str:
    """Make an address and show it, this once."""
    permit("calendar.manage")
    with unit_of_work() as work:
        token = services.open_feed(work, principal(), _account(), now=now())
    url = _url(token)
    picture = Markup(segno.make(url, error="m").svg_inline(scale=4, border=2, omitsize=True))  # noqa: S704  ours
    known = queries.feed_of(session(), _account())
    return render_template("calendars/address.html", feed=known, url=url, webcal=_webcal(url), qr=picture)


@pages.post("/appointments/calendar/close")
@guarded("calendar.manage")
def close() -> ResponseReturnValue:
    """Take the address back."""
    permit("calendar.manage")
    with unit_of_work() as work:
        services.close_feed(work, principal(), _account(), now=now())
    flash(t("calendars-closed"), "success")
    return redirect(url_for("calendars.address"))


@api.get("/calendar-feed")
@guarded("calendar.manage")
@api.response(200, FeedStateSchema)
def show_feed() -> dict[str, object]:
    """Tell since when there is an address; what it is was said once."""
    with unit_of_work() as work:
        found = queries.feed_of(work, _account())
    return {"created_at": None if found is None else found.created_at}


@api.post("/calendar-feed")
@guarded("calendar.manage")
@api.response(201, FeedSchema)
def open_feed() -> dict[str, str]:
    """Make an address that a calendar can subscribe to; the one before opens nothing any more."""
    with unit_of_work() as work:
        token = services.open_feed(work, principal(), _account(), now=now())
    return {"url": _url(token)}


@api.delete("/calendar-feed")
@guarded("calendar.manage")
@api.response(204)
def close_feed() -> None:
    """Take the address back."""
    with unit_of_work() as work:
        services.close_feed(work, principal(), _account(), now=now())


def _account() -> UUID:
    account_id = principal().id
    if account_id is None:
        raise NotFound
    return account_id


def _url(token: str) -> str:
    return f"{settings().public_base_url}{url_for('calendars.feed', token=token)}"


def _webcal(url: str) -> str:
    return "webcal://" + url.partition("://")[2]
