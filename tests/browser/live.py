"""The whole product as `run.py` starts it: every process, the demo province, the sandbox's phones."""

import csv
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pyotp

from telehealth.accounts.rules import totp_steps
from telehealth.core.clock import business_date, minute_of_day, system_clock
from telehealth.demo.services import PROVINCE
from telehealth.directory.codes import Modality
from telehealth.directory.keys import facility_key, practitioner_key, service_key
from telehealth.embedded import keys
from telehealth.embedded.home import open_home
from telehealth.embedded.place import DEMO_ACCOUNTS, ROOT
from telehealth.scheduling.rules import SlotId, clinic_session_id
from telehealth.settings import psycopg_url
from tests.conftest import Databases
from tests.realtime.harness import free_port

Found = TypeVar("Found")
PATIENCE = 90.0
LAST_MINUTES = 4  # of a day: too few for a journey, whose number counts on its own day only

HOSPITAL, HOSPITAL_NAME = "77001", "Bệnh viện Bà Rịa"
DOCTOR, DOCTOR_NAME, LICENCE = "bacsi", "Đặng Hoài Dung", "000830/77-CCHN"
ROOM, ROOM_NAME = "P001", "Phòng khám 1"
IN_PERSON, BY_VIDEO = "cardiology", "endocrinology"


@dataclass(frozen=True)
class Live:
    """Where the running product is, and who may sign in."""

    base: str
    sandbox: str
    log: Path
    database_url: str
    accounts: list[dict[str, Any]]
    spent: dict[str, int] = field(default_factory=dict)

    def account(self, login: str) -> dict[str, Any]:
        return next(entry for entry in self.accounts if entry.get("login") == login)

    def kiosk_token(self, facility: str) -> str:
        machines = (entry for entry in self.accounts if "device_token" in entry)
        return next(str(entry["device_token"]) for entry in machines if entry["facility"] == facility)

    def totp(self, login: str) -> str:
        """Return a code of this half minute, or of the next: each counts only once."""

        def unused() -> int | None:
            _before, *steps = totp_steps(system_clock())
            return next((step for step in steps if step > self.spent.get(login, 0)), None)

        self.spent[login] = until(unused, "a fresh code of the authenticator")
        return pyotp.TOTP(self.account(login)["totp_secret"]).generate_otp(self.spent[login])

    def messages(self, phone: str) -> list[dict[str, Any]]:
        """Return what a phone received, newest first."""
        with urllib.request.urlopen(f"{self.sandbox}/_sandbox/messages?to={phone}", timeout=10) as answer:
            items: list[dict[str, Any]] = json.load(answer)["items"]
            return items

    def message(self, phone: str, pattern: str) -> re.Match[str]:
        """Wait for a message to a phone and return what it says."""

        def found() -> re.Match[str] | None:
            texts = (_words(message) for message in self.messages(phone))
            return next((match for text in texts if (match := re.search(pattern, text))), None)

        return until(found, f"a message to {phone} like {pattern}")

    def call(self, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> Any:
        """Ask the API as a program does, and return its answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self.base + path, data, headers), timeout=30
        ) as answer:
            return json.load(answer)


def until(look: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
    """Look again and again until something is there."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


@contextmanager
def running_product(databases: Databases, var_dir: Path) -> Iterator[Live]:
    """Load the demo and serve it by the product's own supervisor; stop it as Ctrl-C's kinder sister does."""
    home = open_home(var_dir)
    environ = _environ(databases, home)
    _load_demo(environ, home)
    log = home / "product.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "telehealth.embedded", "serve"],
            env=environ,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        live = Live(
            base=environ["PUBLIC_BASE_URL"],
            sandbox=f"http://127.0.0.1:{environ['SANDBOX_PORT']}",
            log=log,
            database_url=psycopg_url(databases.owner_url),
            accounts=json.loads((home / DEMO_ACCOUNTS).read_text()),
        )
        try:
            until(lambda: process.poll() is not None or _ready(live.base), "the product to be ready")
            assert process.poll() is None, log.read_text()
            yield live
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    assert process.returncode == 0, log.read_text()


def _environ(databases: Databases, home: Path) -> dict[str, str]:
    port = free_port()
    return {
        **os.environ,
        **keys.load_or_make(home, data_exists=False),
        "DATABASE_URL": databases.app_url,
        "DATABASE_OWNER_URL": databases.owner_url,
        "DATABASE_DIRECT_URL": databases.app_url,
        "DEMO": "1",
        "VAR_DIR": str(home),
        "PORT": str(port),
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "SANDBOX_PORT": str(free_port()),
        "SANDBOX_SMTP_PORT": str(free_port()),
        "MEDIA_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }


def _load_demo(environ: Mapping[str, str], home: Path) -> None:
    province = at_any_hour(home / "province")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "demo", "load", "--province", str(province)]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _ready(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _words(message: Mapping[str, Any]) -> str:
    rows = [" ".join(row) for row in message["rows"]]
    parts = [message["text"], message["title"], *message["paragraphs"], *rows, *message["button"]]
    return "\n".join(part for part in parts if part)


def at_any_hour(folder: Path) -> Path:
    """Copy the demo province with a doctor who is there around the clock, so that tests may run at any hour.

    For two weeks the doctor leaves the regular clinic and holds extra sessions instead, in a room and by
    video, a slot each minute.
    """
    shutil.copytree(PROVINCE, folder)
    path = folder / "exceptions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    days = {"licence_no": LICENCE, "facility_code": HOSPITAL}
    days |= {"from_date": "2026-12-01", "to_date": "2026-12-14"}  # moved to these days by the load
    extra = {**days, "kind": "extra", "start": "00:00", "end": "24:00", "slot_minutes": "1", "capacity": "1"}
    with path.open("a", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, columns, restval="")
        lines.writerow({**days, "kind": "leave"})
        lines.writerow({**extra, "service_code": IN_PERSON, "modality": "in-person", "room": ROOM})
        lines.writerow({**extra, "service_code": BY_VIDEO, "modality": "video"})
    return folder


def fresh_phone(*, zalo: bool = True) -> str:
    """Return a number that nobody used yet; in the sandbox those that end in 0 have no Zalo."""
    return f"090{secrets.randbelow(10**6):06d}{7 if zalo else 0}"


def coming_slot(service: str, modality: Modality, minutes: int = 2) -> str:
    """Return the id of the slot of the doctor's extra session that begins within so many minutes.

    Staff may book it; people online need half an hour's notice.
    """
    now = system_clock()
    session = clinic_session_id(
        facility_key(HOSPITAL),
        practitioner_key(LICENCE),
        service_key(HOSPITAL, service),
        modality,
        0,
        business_date(now),
    )
    return str(SlotId(session, minute_of_day(now) + minutes))


def wait_out_the_day() -> None:
    """Let midnight pass if it is near."""
    until(lambda: minute_of_day(system_clock()) < 24 * 60 - LAST_MINUTES, "midnight", (LAST_MINUTES + 1) * 60)


def is_today(instant: datetime) -> bool:
    return business_date(instant) == business_date(system_clock())
