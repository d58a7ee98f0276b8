"""The caller's address comes from a proxy only where one is trusted."""

from dataclasses import replace

import pytest
from flask import Flask, request

from telehealth.app import create_app
from telehealth.settings import BadSettings, Settings

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}


def address_seen(app: Flask) -> str | None:
    seen: list[str | None] = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: seen.append(request.remote_addr))
    app.test_client().get("/healthz", headers=FORWARDED)
    return seen[0]


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "198.51.100.7")])
def test_only_the_nearest_trusted_proxys_word_counts(settings: Settings, proxies: int, address: str):
    assert address_seen(create_app(replace(settings, trusted_proxies=proxies))) == address


def test_an_odd_number_of_proxies_is_refused_by_name():
    with pytest.raises(BadSettings, match="TRUSTED_PROXIES is 'two'"):
        Settings.from_environ(
            {
                "DATABASE_URL": "postgresql://a@/b",
                "SECRET_KEY": "x" * 40,
                "FIELD_KEYS": "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "INDEX_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "TRUSTED_PROXIES": "two",
            }
        )
