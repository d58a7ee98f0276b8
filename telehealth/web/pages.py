"""The home page and the language choice."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.errors import NotFound
from telehealth.web.context import settings
from telehealth.web.guard import public
from telehealth.web.localization import LANGUAGE_COOKIE, LOCALES
from telehealth.web.requests import local_path

blueprint = Blueprint("pages", __name__)

_A_YEAR = 365 * 24 * 3600


@blueprint.get("/")
@public
def home() -> str:
    """Show what a patient can do, without signing in."""
    return render_template("home.html")


@blueprint.get("/<any(vi, en):language>")
@public
def choose_language(language: str) -> ResponseReturnValue:
    """Remember the language and go on where the reader was."""
    target = local_path(request.args.get("next")) or url_for("pages.home")
    response = make_response(redirect(target))
    if language in LOCALES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=_A_YEAR,
            samesite="Lax",
            secure=settings().secure,
            httponly=True,
        )
    return response


@blueprint.get("/privacy")
@public
def privacy() -> str:
    """Say what is kept about people, and who may read it."""
    return render_template("privacy.html")


@blueprint.get("/accessibility")
@public
def accessibility() -> str:
    """Say what helps those who see, hear or move with difficulty."""
    return render_template("accessibility.html")


@blueprint.get("/styleguide")
@public
def styleguide() -> str:
    """Show every component to those who write pages; nothing in production."""
    if not settings().demo:
        raise NotFound
    return render_template("styleguide.html")


@blueprint.get("/sandbox")
@public
def sandbox() -> ResponseReturnValue:
    """Show a newcomer the phones of the demo and what they received; nothing in production."""
    inbox = settings().sandbox_url
    if inbox is None:
        raise NotFound
    port = urlsplit(inbox).port
    return redirect(f"{request.scheme}://{request.host.partition(':')[0]}:{port}/")
