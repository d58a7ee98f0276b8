"""What stands in the way of serving is said in one sentence; what is needed to use the product is shown."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from telehealth.embedded import keys
from telehealth.embedded.home import Lock, open_home
from telehealth.embedded.place import Place
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.schema import VERSIONS, heads
from telehealth.embedded.serving import welcome
from telehealth.embedded.testing import options
from telehealth.migrate import head_revision
from telehealth.settings import DEMO_SECRET_PREFIX, Settings
from tests.embedded.conftest import ROOT


def run(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "telehealth.embedded"],
        env={**os.environ, "VAR_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(folder, PORT=str(port))
        sandbox = run(folder, SANDBOX_PORT=str(port), PORT="18199")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"run.py: Port {port}: address already in use; choose another one, as in `PORT="
    )
    assert "`SANDBOX_PORT=" in sandbox.stderr
    assert not (folder / "var" / "pg18").exists()


def test_a_port_that_is_none_is_refused(folder: Path) -> None:
    assert (
        run(folder, PORT="eighty").stderr
        == "run.py: PORT is 'eighty', but must be a port number from 1 to 65535.\n"
    )


def test_a_second_run_on_the_same_state_is_refused(folder: Path) -> None:
    home = open_home(folder / "var")
    with Lock(home / "run.lock") as lock:
        assert lock.take()
        done = run(folder, PORT="18198")
    assert done.stderr == (
        f"run.py: The product already runs from {home} (process {os.getpid()}): stop it, or set VAR_DIR.\n"
    )


def test_secrets_are_made_once_privately_and_fit_the_settings(folder: Path) -> None:
    home = open_home(folder / "var")
    made = keys.load_or_make(home, data_exists=False)
    assert keys.load_or_make(home, data_exists=True) == made
    assert (home / keys.FILE).stat().st_mode & 0o777 == 0o600
    assert keys.DEMO_MARK == DEMO_SECRET_PREFIX
    Settings.from_environ({**made, "DATABASE_URL": "postgresql:///x", "DEMO": "1"})


def test_a_secret_that_came_later_is_added_to_those_that_were_kept(folder: Path) -> None:
    home = open_home(folder / "var")
    made = keys.load_or_make(home, data_exists=False)
    older = {name: value for name, value in made.items() if name != "VAPID_PRIVATE_KEY"}
    (home / keys.FILE).write_text("".join(f"{name}={value}\n" for name, value in older.items()))
    completed = keys.load_or_make(home, data_exists=True)
    assert completed.items() > older.items()
    assert completed["VAPID_PRIVATE_KEY"] != made["VAPID_PRIVATE_KEY"]
    assert keys.load_or_make(home, data_exists=True) == completed
    assert (home / keys.FILE).stat().st_mode & 0o777 == 0o600


def test_lost_secrets_are_not_replaced_while_data_depends_on_them(folder: Path) -> None:
    home = open_home(folder / "var")
    with pytest.raises(Refusal, match="put it back from a backup"):
        keys.load_or_make(home, data_exists=True)


def test_a_database_of_ones_own_turns_the_demo_off(folder: Path) -> None:
    def place(environ: Mapping[str, str]) -> Place:
        return Place.from_environ({**environ, "VAR_DIR": str(folder / "var")})

    assert place({}).demo
    assert not place({"DATABASE_URL": "postgresql:///x"}).demo
    assert place({"DATABASE_URL": "postgresql:///x", "DEMO": "1"}).demo
    assert not place({"DEMO": "0"}).demo
    assert place({"PORT": "8100"}).sandbox_port == 8101


def test_the_demos_mail_goes_to_the_sandbox_unless_told_otherwise(folder: Path) -> None:
    def settings(**environ: str) -> Mapping[str, str]:
        return Place.from_environ({**environ, "PORT": "8100", "VAR_DIR": str(folder / "var")}).settings()

    assert settings()["SMTP_URL"] == "smtp://127.0.0.1:8103"
    assert settings(SANDBOX_SMTP_PORT="2525")["SMTP_URL"] == "smtp://127.0.0.1:2525"
    assert settings(SMTP_URL="smtp://relay")["SMTP_URL"] == "smtp://relay"
    assert "SMTP_URL" not in settings(DEMO="0")


def test_the_welcome_shows_who_to_be(folder: Path) -> None:
    place = Place.from_environ({"VAR_DIR": str(folder / "var"), "PORT": "8100"})
    accounts = [
        {
            "login": "bs.lan",
            "password": "p4ss",
            "totp_secret": "ABC",
            "roles": ["practitioner"],
            "facility": "BV01",
        },
        {"device_token": "t", "facility": "BV01"},
    ]
    place.demo_accounts.write_text(json.dumps(accounts))
    text = welcome(place)
    assert "Ready: http://127.0.0.1:8100\n" in text
    assert "an e-mail address or a passkey" in text
    assert "bs.lan  p4ss      ABC          practitioner  BV01" in text


def test_the_head_is_found_without_loading_the_product() -> None:
    assert heads(VERSIONS) == [head_revision()]


def test_the_callers_pytest_options_win() -> None:
    assert options(["-k", "x"], ["long"])[-2:] == ["-k", "x"]
    assert "-m" not in options(["--long"], [])
    assert options(["-n", "0"], []) == ["-n", "0"]
    assert options([], ["long", "browser"])[:2] == ["-m", "not long and not browser"]
