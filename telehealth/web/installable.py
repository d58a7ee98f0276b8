"""What makes the pages an app on the home screen: manifest, service worker, the page for no network.

The service worker keeps the page for no network and what dresses it, and nothing else: no page that
tells of a person stays on a phone.
"""

import hashlib
import json

from flask import Blueprint, Response, render_template, request, url_for

from telehealth.web.assets import asset, built_text
from telehealth.web.guard import public
from telehealth.web.localization import speak, translate

blueprint = Blueprint("installable", __name__)

THEME, PAGE = "#073f3b", "#faf7f1"
_DRESS = (
    "styles/main.scss",
    "fonts/be-vietnam-pro-400.woff2",
    "fonts/be-vietnam-pro-600.woff2",
    "islands/page.ts",
)
_WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


@blueprint.get("/manifest.webmanifest")
@public
def manifest() -> Response:
    """Describe the app (W3C Web Application Manifest)."""
    name = _said("web-product")
    described = {
        "id": "/",
        "name": f"{name} · {_said('web-province')}",
        "short_name": name,
        "description": _said("web-footer-purpose"),
        "lang": "vi",
        "dir": "ltr",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": THEME,
        "background_color": PAGE,
        "icons": [_icon("app", 192), _icon("app", 512), _icon("maskable", 192), _icon("maskable", 512)],
        "shortcuts": [
            {"name": _said("web-nav-appointments"), "url": "/appointments"},
            {"name": _said("web-nav-book"), "url": "/book"},
        ],
    }
    return _sent(json.dumps(described, ensure_ascii=False), "application/manifest+json")


@blueprint.get("/sw.js")
@public
def service_worker() -> Response:
    """Send the service worker from the root: its scope is every page. What it keeps stands at its top."""
    files = [url_for("installable.offline"), *(asset(name) for name in _DRESS)]
    shell = {
        "cache": f"shell-{hashlib.sha256('|'.join([*files, _no_network()]).encode()).hexdigest()[:16]}",
        "files": files,
        "icon": _picture("app", 192),
        "badge": _picture("badge", 96),
        "title": _said("web-product"),
        "body": _said("web-reminder"),
    }
    script = f"const SHELL = {json.dumps(shell, ensure_ascii=False)};\n{built_text('workers/sw.ts')}"
    answer = _sent(script, "text/javascript")
    answer.headers["Content-Security-Policy"] = _WORKER_POLICY
    return answer


@blueprint.get("/offline")
@public
def offline() -> Response:
    """Say that there is no network; the same for everybody."""
    return _sent(_no_network(), "text/html")


def _no_network() -> str:
    speak("vi")
    return render_template("offline.html", principal=None)


def _said(key: str) -> str:
    return translate("vi", key)


def _icon(shape: str, size: int) -> dict[str, str]:
    purpose = {"app": "any", "maskable": "maskable"}[shape]
    return {"src": _picture(shape, size), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}


def _picture(shape: str, size: int) -> str:
    return url_for("static", filename=f"icons/{shape}-{size}.png")


def _sent(text: str, kind: str) -> Response:
    """Answer with what a browser may keep but must ask about each time."""
    answer = Response(text, content_type=f"{kind}; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
