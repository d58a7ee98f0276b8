"""Pure rules: which browser and system a User-Agent names, by the signs that their makers write in it.

Signs are asked in order: whoever builds on another browser names that one too (Edge says Chrome and Safari).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_Signs = Sequence[tuple[str, re.Pattern[str]]]

_BROWSERS: _Signs = [
    (name, re.compile(sign))
    for name, sign in (
        ("Zalo", r"\bZalo\b"),
        ("Messenger", r"MessengerForiOS|Orca-Android|MessengerLite"),
        ("Facebook", r"FBAN|FBAV|FB_IAB"),
        ("TikTok", r"musical_ly|BytedanceWebview"),
        ("Cốc Cốc", r"coc_coc_browser|CocCocBrowser"),
        ("Samsung Internet", r"SamsungBrowser/"),
        ("Edge", r"Edge?/|EdgA/|EdgiOS/"),
        ("Opera", r"OPR/|OPT/|Opera"),
        ("UC Browser", r"UCBrowser/"),
        ("Mi Browser", r"MiuiBrowser/"),
        ("Firefox", r"Firefox/|FxiOS/"),
        ("", r"; wv\)"),  # some other app's window onto the web
        ("Chrome", r"Chrome/|CriOS/"),
        ("Safari", r"(iPhone|iPad|iPod|Macintosh).*Version/.*Safari/"),
    )
]
_SYSTEMS: _Signs = [
    (name, re.compile(sign))
    for name, sign in (
        ("iPhone", r"iPhone|iPod"),
        ("iPad", r"iPad"),
        ("Android", r"Android"),
        ("Windows", r"Windows"),
        ("ChromeOS", r"\bCrOS\b"),
        ("Mac", r"Macintosh"),
        ("Linux", r"Linux|X11"),
    )
]


@dataclass(frozen=True, slots=True)
class SignInDevice:
    """A browser and a system by the names people know them by; None: some other."""

    browser: str | None
    system: str | None


def sign_in_device(user_agent: str) -> SignInDevice:
    """Return what a User-Agent names. An iPad that asks for pages of a computer calls itself a Mac."""
    return SignInDevice(_first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent))


def _first(signs: _Signs, user_agent: str) -> str | None:
    found = next((name for name, sign in signs if sign.search(user_agent)), None)
    return found or None
