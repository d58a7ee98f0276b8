"""The operators' pages, and the same figures for programs."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as Endpoints
from sqlalchemy.orm import Session

from notifications import figures
from notifications.alarms import Raised
from notifications.dead_letters import Cause, dead_causes, dead_letters
from notifications.kinds import CODES
from notifications.settings import NotificationSettings
from notifications.states import PausedBy
from notifications.template_versions import changed
from notifications.templates import SOURCES
from notifications.ways import Way
from telehealth.accounts.queries import account_names
from telehealth.core.clock import local
from telehealth.core.errors import DomainError, http_status
from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.core.text import whole_number
from telehealth.messaging import services
from telehealth.messaging.queries import Overview, overview, registered_texts
from telehealth.messaging.schemas import MessageFiguresSchema
from telehealth.web.context import now, outbox, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, format_time, has_message, t

pages = Blueprint("messaging", __name__, template_folder="templates", url_prefix="/admin/messages")
api = Endpoints("messaging-api", __name__, url_prefix="/api/v1/messages", description="The messages' health")

_EXTENSION = "messaging"
# By what a form says when it has done its work.
_FORMS = {"messaging-paused": "pause", "messaging-weighed": "weight"}


@pages.record_once
def _read_settings(state: BlueprintSetupState) -> None:
    settings = state.app.extensions["telehealth"].settings
    state.app.extensions[_EXTENSION] = NotificationSettings.from_environ(
        settings.environ, sandbox_url=settings.sandbox_url
    )
    for filter_ in (_word, _number, _subject, _reason, _when, _moment, _seconds, _cause):
        state.app.add_template_filter(filter_, f"message{filter_.__name__}")


def _settings() -> NotificationSettings:
    return cast("NotificationSettings", current_app.extensions[_EXTENSION])


@api.get("/figures")
@guarded("messages.watch")
@api.response(200, MessageFiguresSchema)
def show_figures() -> Overview:
    """Show how the messages are: queues, providers, costs, failures, alarms."""
    permit("messages.watch")
    return overview(session(), _settings(), now=now())


@pages.get("")
@guarded("messages.watch")
def watch() -> str:
    """Show at a glance whether the messages are well, and the figures behind it."""
    permit("messages.watch")
    return _watch_page({}, "")


@pages.get("/figures")
@guarded("messages.watch")
def fragment() -> str:
    """Show the part of the page that changes by itself."""
    permit("messages.watch")
    return render_template("messaging/_figures.html", **_figures())


def _figures() -> dict[str, Any]:
    found = overview(session(), _settings(), now=now())
    return {"overview": found, "glance": found.glance, "vitals": found.glance.vitals, "now": now()}


def _field(name: str, form: str, provider: str) -> str:
    """Return the id of a form's field on the page; every provider has two forms, each with a reason."""
    return f"{name}-{form}-{provider}" if name == "reason" else f"{name}-{provider}"


def _watch_page(errors: dict[str, Any], provider: str, form: str = "") -> str:
    changes = figures.changes(session())
    names = account_names(session(), {each.changed_by for each in changes if each.changed_by is not None})
    return render_template(
        "messaging/watch.html",
        current="watch",
        changes=changes,
        names=names,
        pauses=services.PAUSES,
        errors=errors,
        wrong=provider,
        form=form,
        summary={_field(name, form, provider): text for name, text in errors.items()},
        **_figures(),
    )


@pages.post("/providers/<provider>/pause")
@guarded("messages.operate")
def pause(provider: str) -> ResponseReturnValue:
    """Let a provider rest for some hours."""

    def change(work: Session) -> None:
        services.pause(
            work,
            principal(),
            _settings(),
            provider,
            hours=whole_number(request.form.get("hours", "")) or 0,
            reason=request.form.get("reason", ""),
            now=now(),
        )

    return _changed(provider, change, "messaging-paused")


@pages.post("/providers/<provider>/resume")
@guarded("messages.operate")
def resume(provider: str) -> ResponseReturnValue:
    """Let a provider send again."""

    def change(work: Session) -> None:
        services.resume(work, principal(), _settings(), provider, now=now())

    return _changed(provider, change, "messaging-resumed")


@pages.post("/providers/<provider>/weight")
@guarded("messages.operate")
def weigh(provider: str) -> ResponseReturnValue:
    """Set a provider's share of its channel."""

    def change(work: Session) -> None:
        services.weigh(
            work,
            principal(),
            _settings(),
            provider,
            weight=whole_number(request.form.get("weight", "")),
            reason=request.form.get("reason", ""),
            now=now(),
        )

    return _changed(provider, change, "messaging-weighed")


def _changed(provider: str, change: Callable[[Session], None], done: str) -> ResponseReturnValue:
    permit("messages.operate")
    try:
        with unit_of_work() as work:
            change(work)
    except DomainError as error:
        return _watch_page(form_errors(error), provider, _FORMS.get(done, "")), http_status(error)
    known = f"messaging-provider-{provider}"
    flash(t(done, provider=t(known) if has_message(current_locale(), known) else provider), "success")
    return redirect(url_for("messaging.watch"))


@pages.get("/dead-letters")
@guarded("messages.watch")
def dead() -> str:
    """Show what nobody could take, by cause and one by one."""
    permit("messages.watch")
    return _dead_page({})


def _dead_page(errors: dict[str, Any]) -> str:
    page = dead_letters(session(), after=_after(request.args.get("after")))
    following = None if page.after is None else encode_cursor(page.after[0].isoformat(), str(page.after[1]))
    return render_template(
        "messaging/dead.html",
        current="dead",
        causes=dead_causes(session()),
        letters=page.items,
        following=following,
        lives=services.NEW_LIVES,
        codes=CODES,
        errors=errors,
        now=now(),
    )


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    if not cursor:
        return None
    at, identifier = decode_cursor(cursor, 2)
    try:
        return datetime.fromisoformat(at), UUID(identifier)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCursor from error


@pages.post("/dead-letters/<uuid:notification_id>/replay")
@guarded("messages.operate")
def replay(notification_id: UUID) -> ResponseReturnValue:
    """Send one dead letter again."""
    permit("messages.operate")
    hours = whole_number(request.form.get("hours", "")) if request.form.get("hours") else None
    try:
        with unit_of_work() as work:
            services.replay(work, principal(), notification_id, hours=hours, now=now())
    except DomainError as error:
        return _dead_page(form_errors(error)), http_status(error)
    flash(t("messaging-replayed"), "success")
    return redirect(url_for("messaging.dead"))


@pages.post("/dead-letters/<uuid:notification_id>/dismiss")
@guarded("messages.operate")
def dismiss(notification_id: UUID) -> ResponseReturnValue:
    """Lay one dead letter to rest."""
    permit("messages.operate")
    with unit_of_work() as work:
        services.dismiss(work, principal(), [notification_id], now=now())
    flash(t("messaging-dismissed", count=1), "success")
    return redirect(url_for("messaging.dead"))


@pages.post("/dead-letters/replay")
@guarded("messages.operate")
def replay_all() -> ResponseReturnValue:
    """Send all dead letters of one cause again."""
    permit("messages.operate")
    with unit_of_work() as work:
        count = services.replay_all(work, principal(), _asked_cause(), now=now())
    flash(t("messaging-replayed-all", count=count), "success" if count else "warning")
    return redirect(url_for("messaging.dead"))


@pages.post("/dead-letters/dismiss")
@guarded("messages.operate")
def dismiss_all() -> ResponseReturnValue:
    """Lay all dead letters of one cause to rest."""
    permit("messages.operate")
    with unit_of_work() as work:
        count = services.dismiss_all(work, principal(), _asked_cause(), now=now())
    flash(t("messaging-dismissed", count=count), "success")
    return redirect(url_for("messaging.dead"))


def _asked_cause() -> Cause:
    given = request.form
    return Cause(given.get("provider", ""), given.get("outcome", ""), given.get("code", ""))


@pages.get("/texts")
@guarded("messages.watch")
def texts() -> str:
    """Show the texts, their versions and what their providers say of them."""
    permit("messages.watch")
    return _texts_page({}, "")


def _texts_page(errors: dict[str, Any], wrong: str) -> str:
    return render_template(
        "messaging/texts.html",
        current="texts",
        texts=registered_texts(session()),
        changed=changed(session(), SOURCES),
        errors=errors,
        wrong=wrong,
    )


@pages.post("/texts/<kind>/<any(vi, en):language>/<channel>")
@guarded("messages.operate")
def name_text(kind: str, language: str, channel: str) -> ResponseReturnValue:
    """Say under which id a provider knows a text."""
    permit("messages.operate")
    identifier = request.form.get("identifier", "").strip()
    try:
        with unit_of_work() as work:
            services.name_text(work, principal(), kind, language, channel, identifier, now=now())
    except DomainError as error:
        return _texts_page(form_errors(error), f"{kind}-{language}-{channel}"), http_status(error)
    flash(t("messaging-text-named"), "success")
    return redirect(url_for("messaging.texts"))


@pages.get("/trace")
@guarded("messages.trace")
def trace_form() -> str:
    """Ask whose message to look for."""
    permit("messages.trace")
    return _trace_page("", None, {})


@pages.post("/trace")
@guarded("messages.trace")
def trace() -> ResponseReturnValue:
    """Show the way of the messages to a phone or about a booking. Posted: no phone stands in an address."""
    permit("messages.trace")
    wanted = request.form.get("wanted", "")
    try:
        with unit_of_work() as work:
            ways = services.trace(work, principal(), outbox(), wanted, now=now())
    except DomainError as error:
        return _trace_page(wanted, None, form_errors(error, "wanted")), http_status(error)
    return _trace_page(wanted, ways, {})


def _trace_page(wanted: str, ways: tuple[Way, ...] | None, errors: dict[str, Any]) -> str:
    return render_template("messaging/trace.html", current="trace", wanted=wanted, ways=ways, errors=errors)


# How templates write what the package names by codes.


def _word(value: str, group: str) -> str:
    """The word for a code of the package; a code that has none is shown as it is."""
    key = f"messaging-{group}-{value}".replace("_", "-")
    return t(key) if has_message(current_locale(), key) else value


def _number(value: int) -> str:
    """`6.187` in Vietnamese, `6,187` in English."""
    return f"{value:,}".replace(",", "." if current_locale() == "vi" else ",")


def _subject(raised: Raised) -> str:
    """What an alarm is about, in words where there are any."""
    kind, *rest = raised.subject.split(".")
    if len(rest) == 2:
        return f"{_word(kind, 'kind')}, {_word(rest[0], 'language')}, {_word(rest[1], 'channel')}"
    named, _, code = raised.subject.partition(" ")
    said = _word(named, "subject")
    return f"{said if said != named else _word(named, 'provider')} {code}".rstrip()


def _reason(written: str) -> str:
    """A reason as it was written down: a machine's in words, a person's as it is, without who paused."""
    by, _, rest = written.partition(": ")
    said = rest if rest and by in frozenset(PausedBy) else written
    what, colon, code = said.partition(": ")
    word = _word(what.replace(" ", "-"), "reason")
    return said if word == what.replace(" ", "-") else f"{word}{' ' if colon else ''}{code}"


def _when(at: datetime) -> str:
    """`08:30 24/11`."""
    return f"{format_time(at)} {local(at):%d/%m}"


def _moment(at: datetime) -> str:
    """`08:30:07 24/11`: of two tries in one minute it matters which was first."""
    return f"{local(at):%H:%M:%S %d/%m}"


def _seconds(seconds: float) -> str:
    """A wait as people say it: seconds, minutes or hours."""
    whole = round(seconds)
    if whole < 90:
        return t("messaging-seconds", count=whole)
    if whole < 90 * 60:
        return t("messaging-minutes", count=round(whole / 60))
    return t("messaging-hours", count=round(whole / 3600))


def _cause(cause: Cause) -> str:
    """Why a letter is dead, in plain words."""
    key = f"messaging-cause-{cause.outcome}".replace("_", "-")
    return t(key) if has_message(current_locale(), key) else t("messaging-cause-other")
