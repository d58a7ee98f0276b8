"""The browser's sign-in: Flask-Login keeps our opaque token in the signed cookie, and nothing else."""

from typing import Any

from flask import Flask, g, request
from flask import session as cookie
from flask_login import LoginManager, UserMixin, login_user, logout_user

from telehealth.accounts.services.sessions import SignedIn
from telehealth.accounts.services.sign_in_staff import Where
from telehealth.core.principal import PrincipalKind
from telehealth.core.text import whole_number
from telehealth.web.context import principal, settings

DEVICE_YEARS = 2 * 365 * 24 * 3600


class BrowserSession(UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """Whoever holds the token; who that is, the principal says."""

    def __init__(self, token: str) -> None:
        self.id = token


def init_browser(app: Flask) -> None:
    """Let Flask-Login keep the token."""
    manager = LoginManager(app)
    manager.session_protection = None  # phones change their address all day
    manager.user_loader(_load)


def begin(signed_in: SignedIn) -> None:
    """Sign this browser in under a fresh cookie; whatever the old one held is gone."""
    cookie.clear()
    cookie.permanent = signed_in.kind is PrincipalKind.PATIENT
    login_user(BrowserSession(signed_in.token))
    g.pop("principal", None)


def end() -> None:
    """Forget the token and everything else the cookie held."""
    logout_user()
    cookie.clear()
    g.pop("principal", None)


def where() -> Where:
    """Return from where this request signs in."""
    port = str(request.environ.get("REMOTE_PORT", ""))
    return Where(
        ip=request.remote_addr,
        user_agent=request.user_agent.string or None,
        device_token=request.cookies.get(device_cookie()),
        source_port=whole_number(port),
    )


def device_cookie() -> str:
    """Return the name of the cookie that makes a computer an enrolled one."""
    return "__Host-device" if settings().secure else "device"


def remember_device(response: Any, token: str) -> None:
    """Make this browser the enrolled computer."""
    response.set_cookie(
        device_cookie(),
        token,
        max_age=DEVICE_YEARS,
        secure=settings().secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def _load(token: str) -> BrowserSession | None:
    return BrowserSession(token) if principal().signed_in else None
