"""One-time codes, sign-ins and devices for programs."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from telehealth.accounts import queries, schemas, services
from telehealth.accounts.browser import where
from telehealth.accounts.enrolment import enrolled
from telehealth.accounts.rules import OTP_LIFETIME
from telehealth.accounts.services.fresh import PURPOSE as PROOF
from telehealth.accounts.services.fresh import prove_again
from telehealth.accounts.services.otp import SIGN_IN
from telehealth.accounts.services.own_code import send_own_code
from telehealth.core.errors import NotFound, Unauthenticated
from telehealth.web.context import cipher, now, outbox, principal, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale

api = Blueprint("accounts-api", __name__, url_prefix="/api/v1", description="Signing in")


@api.post("/otp")
@public
@api.arguments(schemas.OtpRequest)
@api.response(202, schemas.OtpSent)
def request_code(body: dict[str, Any]) -> dict[str, Any]:
    """Send a one-time code; known and unknown telephones and e-mail addresses get the same answer."""
    with unit_of_work() as session:
        challenge_id = services.request_otp(
            session,
            phone=body.get("phone") or body["email"],
            purpose=SIGN_IN,
            ip=where().ip,
            language=body["language"] or current_locale(),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    return {"challenge_id": challenge_id, "expires_in": int(OTP_LIFETIME.total_seconds())}


@api.route("/sessions")
class Sessions(MethodView):
    """The caller's sign-ins."""

    @public
    @api.arguments(schemas.SessionRequest)
    @api.response(201, schemas.SessionOpened)
    def post(self, body: dict[str, Any]) -> services.SignedIn:
        """Sign in by phone code, as staff, or as another system."""
        with unit_of_work() as session:
            if "challenge_id" in body:
                return services.sign_in_with_code(
                    session,
                    challenge_id=body["challenge_id"],
                    code=body["code"],
                    ip=where().ip,
                    user_agent=where().user_agent,
                    source_port=where().source_port,
                    now=now(),
                    cipher=cipher(),
                )
            if "login" in body:
                return services.sign_in_staff(
                    session,
                    login=body["login"],
                    password=body["password"],
                    totp=body.get("totp"),
                    where=where(),
                    now=now(),
                    cipher=cipher(),
                )
            return services.sign_in_client(
                session,
                client_id=body["client_id"],
                client_secret=body["client_secret"],
                ip=where().ip,
                user_agent=where().user_agent,
                now=now(),
            )

    @guarded("session.list-own")
    @api.response(200, schemas.SessionList)
    def get(self) -> dict[str, Any]:
        """List the caller's open sign-ins."""
        actor = principal()
        if actor.id is None:
            raise Unauthenticated
        with unit_of_work() as session:
            found = queries.sessions_of(session, actor.id, now())
        return {"items": [_row(view, actor.session_id) for view in found]}

    @guarded("session.end")
    @api.response(204)
    def delete(self) -> None:
        """Sign out: the token opens nothing any more."""
        actor = principal()
        if actor.session_id is not None:
            with unit_of_work() as session:
                services.sign_out(session, actor.session_id, now())


@api.delete("/sessions/<uuid:session_id>")
@guarded("session.list-own")
@api.response(204)
def end_one(session_id: UUID) -> None:
    """End one of the caller's own sign-ins."""
    actor = principal()
    with unit_of_work() as session:
        if actor.id is None or not services.sign_out_one(session, actor.id, session_id, now()):
            raise NotFound


@api.post("/sessions/proof/code")
@guarded("session.prove")
@api.response(202, schemas.OtpSent)
def ask_for_fresh_code() -> dict[str, Any]:
    """Send a code to the caller's own address, to make this sign-in fresh."""
    with unit_of_work() as session:
        challenge_id = send_own_code(
            session,
            principal(),
            purpose=PROOF,
            ip=where().ip,
            language=current_locale(),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    return {"challenge_id": challenge_id, "expires_in": int(OTP_LIFETIME.total_seconds())}


@api.post("/sessions/proof")
@guarded("session.prove")
@api.arguments(schemas.ProofRequest)
@api.response(204)
def prove_oneself(body: dict[str, Any]) -> None:
    """Make this sign-in fresh: for ten minutes passkeys and contacts may be changed by it."""
    with unit_of_work() as session:
        prove_again(session, principal(), **body, ip=where().ip, now=now(), cipher=cipher())


@api.post("/devices")
@public
@api.arguments(schemas.DeviceCode)
@api.response(201, schemas.DeviceOpened)
def enrol(body: dict[str, Any]) -> services.EnrolledDevice:
    """Turn this machine into a kiosk or board with the code that administration showed."""
    return enrolled(body["code"])


def _row(view: queries.SessionView, current: UUID | None) -> dict[str, Any]:
    return {
        "id": view.id,
        "current": view.id == current,
        "created_at": view.created_at,
        "last_seen_at": view.last_seen_at,
        "expires_at": view.expires_at,
        "user_agent": view.user_agent,
    }
