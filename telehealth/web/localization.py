"""Vietnamese first, English second: Fluent catalogues, one folder per feature."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date as babel_date
from flask import Flask, g, has_request_context, request
from fluent.runtime import FluentBundle, FluentResource
from markupsafe import Markup

from telehealth.core.clock import local

LOCALES = ("vi", "en")
LANGUAGE_COOKIE = "lang"
_PACKAGE = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=4)
def bundle(locale: str) -> FluentBundle:
    """Return every feature's messages of one language."""
    messages = FluentBundle([locale], use_isolating=False)
    for path in sorted(_PACKAGE.glob(f"*/locales/{locale}.ftl")):
        messages.add_resource(FluentResource(path.read_text(encoding="utf-8")), allow_overrides=False)
    return messages


def translate(locale: str, key: str, args: Mapping[str, Any] | None = None) -> str:
    """Return the text of a message; a key without one is returned as it is."""
    messages = bundle(locale)
    if not messages.has_message(key):
        return key
    pattern = messages.get_message(key).value
    if pattern is None:
        return key
    text, _errors = messages.format_pattern(pattern, dict(args or {}))
    return str(text)


def has_message(locale: str, key: str) -> bool:
    """Tell whether the language has the message."""
    return bool(bundle(locale).has_message(key))


def current_locale() -> str:
    """Return `vi` or `en`: the address's choice, else the cookie's, else (API) Accept-Language."""
    if not has_request_context():
        return "vi"
    if "locale" not in g:
        g.locale = _choose()
    return str(g.locale)


def speak(locale: str) -> None:
    """Answer this request in one language, whatever the reader chose."""
    g.locale = locale


def _choose() -> str:
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if asked in LOCALES:
        return asked
    if request.path.startswith(("/api/", "/fhir/")):
        return request.accept_languages.best_match(LOCALES, default="vi") or "vi"
    return "vi"


def t(key: str, **args: Any) -> str:
    """Return a message in the language of the request."""
    return translate(current_locale(), key, args)


def format_date(value: date | datetime, style: str = "long") -> str:
    """Return a day as people plan with it: `Thứ Hai, ngày 02/11/2026`. Instants become local days."""
    day = local(value).date() if isinstance(value, datetime) else value
    patterns = {
        "long": {"vi": "EEEE, 'ngày'\N{NO-BREAK SPACE}dd/MM/y", "en": "EEEE, d MMMM y"},
        "short": {"vi": "dd/MM/y", "en": "dd/MM/y"},
        "weekday": {"vi": "EEEE dd/MM", "en": "EEE d MMM"},
    }
    locale = current_locale()
    text = babel_date(day, format=patterns[style][locale], locale=locale)
    return text[:1].upper() + text[1:]


def format_time(value: datetime) -> str:
    """Return local wall time: `07:30`."""
    return local(value).strftime("%H:%M")


def format_datetime(value: datetime) -> str:
    """Return local time and day: `07:30, Thứ Hai, ngày 23/11/2026`."""
    return f"{format_time(value)}, {format_date(value)}"


def reading_time(value: datetime) -> Markup:
    """Return an instant as `08:05, Thứ Hai 24/11/2026`; a browser elsewhere adds its own time beside."""
    return Markup('<time datetime="{}" data-vn="{}">{}</time>').format(
        value.isoformat(),
        translate(current_locale(), "web-local-time", {"time": "{time}"}),
        format_datetime(value),
    )


def format_money(vnd: int | None) -> str:
    """Return an amount of đồng: `45.000 đ` in Vietnamese, `45,000 VND` in English."""
    if vnd is None:
        return ""
    if current_locale() == "vi":
        return f"{vnd:,}".replace(",", ".") + " đ"
    return f"{vnd:,} VND"


def init_localization(app: Flask) -> None:
    """Give templates the language of the request."""
    app.add_template_global(t, "t")
    for form in (format_date, format_time, format_datetime, format_money, reading_time):
        app.add_template_filter(form)

    @app.context_processor
    def language() -> dict[str, Any]:
        return {"locale": current_locale()}
