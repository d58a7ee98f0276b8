"""Request ids, headers and cross-site request forgery.

A change from a browser needs the session's token (header `X-CSRF-Token` or form field `csrf_token`)
and our own Origin. A request with an Authorization header carries no cookie identity and needs
neither (OWASP CSRF Prevention: token and origin checks; ASVS 5.0 3.5.1-3.5.3). Neither does JSON
without our cookie: a program signing in has no session to forge, another site's script cannot send
JSON here unasked, and the API never sets a cookie.
"""

import hmac
import re
import secrets

from flask import Flask, Response, current_app, g, request, session

from telehealth.core.errors import BadRequest, Forbidden
from telehealth.core.ids import new_id
from telehealth.web.context import settings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_TOKEN = "csrf"  # noqa: S105  the name under which the session keeps it
# Providers call the first; mail programs post to the second without a page of ours (RFC 8058).
_UNCHECKED_PREFIXES = ("/webhooks/", "/unsubscribe/")
_OWN_FEATURES = (
    "camera",
    "microphone",
    "geolocation",
    "publickey-credentials-create",
    "publickey-credentials-get",
)
_ENDLESS_NUMBER = re.compile(rb"[0-9]{4300}")


class WrongCsrfToken(Forbidden):
    """The form is old or came from another site."""

    code = "wrong-csrf-token"


def csrf_token() -> str:
    """Return this session's token."""
    if _TOKEN not in session:
        session[_TOKEN] = secrets.token_urlsafe(24)
    return str(session[_TOKEN])


def csp_nonce() -> str:
    """Return this response's nonce."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def init_security(app: Flask) -> None:
    """Check what comes in and mark what goes out."""
    app.add_template_global(csrf_token)
    app.add_template_global(csp_nonce)
    app.before_request(_give_request_id)
    app.before_request(_check_csrf)
    app.before_request(_refuse_endless_numbers)
    app.after_request(_headers)


def _give_request_id() -> None:
    g.request_id = str(new_id())


def _check_csrf() -> None:
    if request.method in _SAFE or request.path.startswith(_UNCHECKED_PREFIXES):
        return
    if request.headers.get("Authorization"):
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (settings().origin, request.host_url.rstrip("/")):
        raise WrongCsrfToken
    if request.is_json and current_app.config["SESSION_COOKIE_NAME"] not in request.cookies:
        return
    given = request.headers.get("X-CSRF-Token") or (
        "" if request.is_json else request.form.get("csrf_token", "")
    )
    expected = str(session.get(_TOKEN, ""))
    if not expected or not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise WrongCsrfToken


def _refuse_endless_numbers() -> None:
    """Refuse JSON with an integer longer than Python reads: a ValueError deep in it (CVE-2020-10735)."""
    if request.is_json and _ENDLESS_NUMBER.search(request.get_data()):
        raise BadRequest


def _headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", ", ".join(f"{feature}=(self)" for feature in _OWN_FEATURES))
    headers.setdefault("X-Request-Id", g.get("request_id", ""))
    if response.mimetype == "text/html":
        headers.setdefault("Content-Security-Policy", _content_security_policy())
    if settings().secure:
        headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
    if not request.path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
        headers.add("Vary", "Cookie")
    return response


def _socket_origin() -> str:
    """Return our own WebSocket address; not every browser counts it as 'self'."""
    return f"{'wss' if settings().secure else 'ws'}://{request.host}"


def may_connect(origin: str) -> None:
    """Let the scripts of this page speak to another origin too."""
    g.connects_to = origin


def _besides() -> str:
    return f" {g.connects_to}" if "connects_to" in g else ""


def _content_security_policy() -> str:
    return (
        "default-src 'self'; "
        f"script-src 'self' 'nonce-{csp_nonce()}'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; "
        f"connect-src 'self' {_socket_origin()}{_besides()}; font-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
