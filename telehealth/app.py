"""The composition root: the only module that knows every feature."""

import os
from datetime import timedelta

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from notifications import Outbox
from telehealth.accounts import policies as account_policies
from telehealth.accounts import routes as account_routes
from telehealth.accounts.authentication import load_principal
from telehealth.accounts.browser import init_browser
from telehealth.administration import policies as administration_policies
from telehealth.administration.commands import users as user_commands
from telehealth.administration.routes import pages as administration_pages
from telehealth.admission import policies as admission_policies
from telehealth.admission import routes as admission_routes
from telehealth.anomalies import policies as anomaly_policies
from telehealth.anomalies import routes as anomaly_routes
from telehealth.answers.routes import pages as answer_pages
from telehealth.attendance import policies as attendance_policies
from telehealth.attendance import routes as attendance_routes
from telehealth.boards import policies as board_policies
from telehealth.boards import routes as board_routes
from telehealth.booking import policies as booking_policies
from telehealth.booking.once import init_once
from telehealth.booking.routes import api as booking_api
from telehealth.booking.series_routes import api as series_api
from telehealth.calendars import policies as calendar_policies
from telehealth.calendars import routes as calendar_routes
from telehealth.closures import policies as closure_policies
from telehealth.closures import routes as closure_routes
from telehealth.consultations import policies as consultation_policies
from telehealth.consultations import routes as consultation_routes
from telehealth.core.clock import Clock, system_clock
from telehealth.core.permit import Policy, gather
from telehealth.core.uow import CONNECT_ARGS
from telehealth.delegations import policies as delegation_policies
from telehealth.delegations import routes as delegation_routes
from telehealth.demo.cli import demo
from telehealth.desk import policies as desk_policies
from telehealth.desk.missed import missed as desk_missed
from telehealth.desk.people import pages as desk_people_pages
from telehealth.desk.routes import pages as desk_pages
from telehealth.desk.series import series_pages as desk_series
from telehealth.desk.visits import visits as desk_visits
from telehealth.desk.waiting import waiting as desk_waitlist
from telehealth.directory.cli import directory_commands
from telehealth.directory.routes import api as directory_api
from telehealth.encounters import policies as encounter_policies
from telehealth.exports import policies as export_policies
from telehealth.exports import routes as export_routes
from telehealth.fhir.routes import fhir
from telehealth.identities import policies as identity_policies
from telehealth.identities import routes as identity_routes
from telehealth.invitations import policies as invitation_policies
from telehealth.invitations import routes as invitation_routes
from telehealth.kiosk import policies as kiosk_policies
from telehealth.kiosk import routes as kiosk_routes
from telehealth.messaging import policies as messaging_policies
from telehealth.messaging import routes as messaging_routes
from telehealth.messaging.commands import messages as message_commands
from telehealth.nodes import policies as node_policies
from telehealth.nodes import routes as node_routes
from telehealth.passkeys import policies as passkey_policies
from telehealth.passkeys import routes as passkey_routes
from telehealth.patient_portal.routes import pages as portal_pages
from telehealth.patients import policies as patient_policies
from telehealth.patients import routes as patient_routes
from telehealth.payments import policies as payment_policies
from telehealth.payments import routes as payment_routes
from telehealth.provincial_import.cli import import_command
from telehealth.push import policies as push_policies
from telehealth.push import routes as push_routes
from telehealth.queueing import policies as queueing_policies
from telehealth.queueing import routes as queueing_routes
from telehealth.queueing import services as queueing_services
from telehealth.referrals import policies as referral_policies
from telehealth.referrals import routes as referral_routes
from telehealth.reminders import routes as webhooks
from telehealth.roster_import import routes as roster_import_routes
from telehealth.schedule_editor import routes as schedule_routes
from telehealth.scheduling import policies as scheduling_policies
from telehealth.scheduling.routes import api as scheduling_api
from telehealth.settings import Settings
from telehealth.visits import policies as visit_policies
from telehealth.visits import routes as visit_routes
from telehealth.visits import services as visit_services
from telehealth.waitlist import policies as waitlist_policies
from telehealth.waitlist import routes as waitlist_routes
from telehealth.web import api_docs, health, installable, pages
from telehealth.web.api import DESCRIPTION, ProblemApi
from telehealth.web.assets import init_assets
from telehealth.web.conditional import init_conditional
from telehealth.web.context import Services, db, may, principal
from telehealth.web.errors import init_errors
from telehealth.web.localization import init_localization
from telehealth.web.metrics import init_metrics
from telehealth.web.naming import name_errors
from telehealth.web.security import init_security
from telehealth.webhooks import policies as webhook_policies
from telehealth.webhooks import routes as webhook_routes

MAX_BODY = 2 * 1024 * 1024

# Queues know nothing of visits; whoever is through at one goes on by this path.
queueing_services.go_by(visit_services.OutpatientPath())


def policy() -> Policy:
    """Return every feature's rules."""
    return gather(
        account_policies.RULES,
        administration_policies.RULES,
        closure_policies.RULES,
        consultation_policies.RULES,
        delegation_policies.RULES,
        desk_policies.RULES,
        passkey_policies.RULES,
        patient_policies.RULES,
        payment_policies.RULES,
        push_policies.RULES,
        scheduling_policies.RULES,
        board_policies.RULES,
        booking_policies.RULES,
        calendar_policies.RULES,
        encounter_policies.RULES,
        export_policies.RULES,
        identity_policies.RULES,
        invitation_policies.RULES,
        kiosk_policies.RULES,
        messaging_policies.RULES,
        node_policies.RULES,
        queueing_policies.RULES,
        waitlist_policies.RULES,
        attendance_policies.RULES,
        anomaly_policies.RULES,
        admission_policies.RULES,
        referral_policies.RULES,
        visit_policies.RULES,
        webhook_policies.RULES,
    )


def create_app(settings: Settings | None = None, *, clock: Clock = system_clock) -> Flask:
    """Build the application from its settings and its clock."""
    settings = settings or Settings.from_environ(os.environ)
    app = Flask(__name__, static_folder="web/static", template_folder="web/templates")
    app.config.update(_configuration(settings))
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # Vietnamese at half the bytes
    app.extensions["telehealth"] = Services(
        settings=settings,
        clock=clock,
        policy=policy(),
        outbox=Outbox(settings.cipher),
        load_principal=load_principal,
    )
    _trust_proxies(app, settings.trusted_proxies)
    db.init_app(app)
    init_errors(app)
    init_metrics(app)
    init_conditional(app)
    init_security(app)
    init_localization(app)
    init_browser(app)
    init_assets(app)
    _template_globals(app)
    _register(app)
    init_once(app)
    if settings.node:
        node_routes.keep_to_the_day(app)
    return app


def _configuration(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": settings.secret_key,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": 16,
            "max_overflow": 0,
            "pool_use_lifo": True,
            "pool_timeout": 2,
            "pool_pre_ping": False,
            "connect_args": CONNECT_ARGS,
        },
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "SESSION_COOKIE_NAME": "__Host-session" if settings.secure else "session",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),
        "API_TITLE": "Telehealth",
        "API_VERSION": "v1",
        "API_SPEC_OPTIONS": {"info": {"description": DESCRIPTION}},
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api/v1",
        "OPENAPI_JSON_PATH": "openapi.json",
    }


def _trust_proxies(app: Flask, proxies: int) -> None:
    """Take the caller's address and scheme from that many proxies in front, and from nobody else."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]


def _template_globals(app: Flask) -> None:
    app.add_template_global(may, "may")
    app.add_template_filter(name_errors)

    @app.context_processor
    def actor() -> dict[str, object]:
        return {"principal": principal()}


def _register(app: Flask) -> None:
    api = ProblemApi(app)
    app.extensions["smorest"] = api
    for blueprint in (
        health.blueprint,
        pages.blueprint,
        api_docs.blueprint,
        webhooks.blueprint,
        fhir,
        account_routes.pages,
        passkey_routes.pages,
        push_routes.pages,
        installable.blueprint,
        administration_pages,
        messaging_routes.pages,
        webhook_routes.pages,
        calendar_routes.pages,
        export_routes.pages,
        roster_import_routes.pages,
        desk_pages,
        desk_people_pages,
        schedule_routes.pages,
        closure_routes.pages,
        desk_waitlist,
        desk_missed,
        desk_series,
        desk_visits,
        attendance_routes.pages,
        anomaly_routes.pages,
        admission_routes.pages,
        consultation_routes.pages,
        payment_routes.pages,
        payment_routes.webhook,
        answer_pages,
        invitation_routes.pages,
        board_routes.pages,
        board_routes.areas,
        board_routes.hall,
        queueing_routes.pages,
        kiosk_routes.pages,
        kiosk_routes.cut_pages,
        kiosk_routes.feedback,
        node_routes.pages,
        queueing_routes.clinic,
        queueing_routes.halls,
        queueing_routes.lent,
        visit_routes.pages,
        queueing_routes.web_numbers,
        delegation_routes.pages,
        portal_pages,
        referral_routes.pages,
        waitlist_routes.pages,
        waitlist_routes.links,
    ):
        app.register_blueprint(blueprint)
    for endpoints in (
        account_routes.api,
        passkey_routes.api,
        push_routes.api,
        consultation_routes.api,
        directory_api,
        patient_routes.api,
        delegation_routes.api,
        scheduling_api,
        schedule_routes.api,
        booking_api,
        series_api,
        referral_routes.api,
        payment_routes.api,
        closure_routes.api,
        board_routes.api,
        queueing_routes.api,
        queueing_routes.arranging_api,
        queueing_routes.lent_api,
        visit_routes.api,
        queueing_routes.web_numbers_api,
        kiosk_routes.api,
        node_routes.api,
        node_routes.door,
        kiosk_routes.cut_api,
        identity_routes.api,
        invitation_routes.api,
        messaging_routes.api,
        waitlist_routes.api,
        attendance_routes.api,
        anomaly_routes.api,
        admission_routes.api,
        webhook_routes.api,
        calendar_routes.api,
        export_routes.api,
        roster_import_routes.api,
    ):
        api.register_blueprint(endpoints)
    app.cli.add_command(user_commands)
    app.cli.add_command(message_commands)
    app.cli.add_command(directory_commands(import_command))
    app.cli.add_command(demo)
