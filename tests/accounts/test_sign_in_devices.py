"""Where one is signed in is told in the names people know."""

import pytest
from sqlalchemy import Engine, text

from telehealth.accounts.sign_in_devices import SignInDevice, sign_in_device
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import Person
from tests.booking.conftest import clinic, lan, set_database_clock, web

__all__ = ["clinic", "lan", "set_database_clock", "web"]

_ANDROID = "Mozilla/5.0 (Linux; Android 13; SM-A145F) AppleWebKit/537.36 (KHTML, like Gecko) "
_WINDOW = (
    "Mozilla/5.0 (Linux; Android 11; SM-A125F Build/RP1A.200720.012; wv) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36"
)
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "

AGENTS = {
    _ANDROID + "Chrome/124.0.0.0 Mobile Safari/537.36": ("Chrome", "Android"),
    _ANDROID + "SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36": ("Samsung Internet", "Android"),
    _ANDROID + "Chrome/124.0.0.0 Mobile Safari/537.36 EdgA/124.0.2478.50": ("Edge", "Android"),
    "Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0": ("Firefox", "Android"),
    _WINDOW + " Zalo android/12050672 ZaloTheme/light ZaloLanguage/vi": ("Zalo", "Android"),
    _WINDOW + " [FB_IAB/FB4A;FBAV/407.0.0.30.97;]": ("Facebook", "Android"),
    _WINDOW + " [FB_IAB/Orca-Android;FBAV/403.0.0.17.107;]": ("Messenger", "Android"),
    _WINDOW: (None, "Android"),
    _IPHONE + "Version/17.4.1 Mobile/15E148 Safari/604.1": ("Safari", "iPhone"),
    _IPHONE + "CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1": ("Chrome", "iPhone"),
    _IPHONE + "Mobile/15E148 Zalo iOS/462 ZaloTheme/light ZaloLanguage/vn": ("Zalo", "iPhone"),
    _IPHONE + "Mobile/15E148 [FBAN/FBIOS;FBAV/457.0.0.32.109;FBDV/iPhone14,5]": ("Facebook", "iPhone"),
    _IPHONE + "Mobile/15E148": (None, "iPhone"),
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/16.6 Mobile/15E148 Safari/604.1": ("Safari", "iPad"),
    _WINDOWS + "Chrome/124.0.0.0 Safari/537.36": ("Chrome", "Windows"),
    _WINDOWS + "Chrome/124.0.0.0 Safari/537.36 Edg/124.0.0.0": ("Edge", "Windows"),
    _WINDOWS + "Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0": ("Opera", "Windows"),
    _WINDOWS + "coc_coc_browser/109.0.150 Chrome/103.0.5060.150 Safari/537.36": ("Cốc Cốc", "Windows"),
    _MAC + "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15": ("Safari", "Mac"),
    _MAC.replace(") ", "; rv:125.0) ") + "Gecko/20100101 Firefox/125.0": ("Firefox", "Mac"),
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36": ("Chrome", "ChromeOS"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0": ("Firefox", "Linux"),
    "curl/8.5.0": (None, None),
}


@pytest.mark.parametrize(("agent", "named"), AGENTS.items())
def test_a_user_agent_names_a_browser_and_a_system(agent: str, named: tuple[str | None, str | None]):
    assert sign_in_device(agent) == SignInDevice(*named)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (_ANDROID + "Chrome/124.0.0.0 Mobile Safari/537.36", "Chrome trên Android"),
        (_IPHONE + "Mobile/15E148 Zalo iOS/462 ZaloTheme/light", "Zalo trên iPhone"),
        (_IPHONE + "Mobile/15E148", "Trình duyệt khác trên iPhone"),
        ("<b>thing</b>/1.0", "Trình duyệt khác"),
        (None, "Không rõ thiết bị"),
    ],
)
def test_the_page_of_open_sign_ins_says_it_in_words(
    web, lan: Person, engine: Engine, agent: str | None, words: str
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE access_session SET user_agent = :name"), {"name": agent})
    page = web.get("/account/sign-ins", headers={**lan.headers, "Accept": "text/html"}).text
    assert f"<div>{words} " in page
    assert "Mozilla" not in page
    assert "thing" not in page
