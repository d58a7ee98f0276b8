"""What a kiosk does with its server before and after a cut, and the page that it shows in between."""

# mypy: disable-error-code="untyped-decorator"

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Blueprint as Pages
from flask import Response, render_template, url_for
from flask_smorest import Blueprint

from telehealth.booking.once import keeps_its_own_keys
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.kiosk import cut
from telehealth.kiosk.cut import Press
from telehealth.kiosk.prompts import clip_path
from telehealth.kiosk.routes.pages import KEYS
from telehealth.kiosk.schemas import (
    HandedInSchema,
    LeaseAskedSchema,
    LeaseReturnSchema,
    LeaseSchema,
    PressedNumbersSchema,
    SettledNumbersSchema,
    StockSchema,
)
from telehealth.kiosk.services import Kiosk
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.routes.api import press_key
from telehealth.queueing.rules import number_text
from telehealth.queueing.services import leases
from telehealth.queueing.services.leases import IssuedNumber, LeaseView, Settled
from telehealth.queueing.services.numbers import Holder
from telehealth.web.assets import asset_with_parts, built_text
from telehealth.web.context import cipher, now, outbox, permit, principal, session, settings, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale
from telehealth.web.security import csrf_token, may_connect

api = Blueprint("kiosk-cut-api", __name__, url_prefix="/api/v1", description="Kiosks cut off from the server")
pages = Pages("kiosk-cut", __name__, url_prefix="/kiosk", template_folder="../templates")

_SAID = ("cut", "cut-over", "priority", "slip")
_DRESS = (
    "styles/main.scss",
    "styles/kiosk.scss",
    "islands/page.ts",
    "islands/cut.ts",
)
_HERE = Path(__file__).resolve().parents[1]
_WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


@api.get("/kiosk/stock")
@guarded("kiosk.use")
@api.response(200, StockSchema)
def stock() -> dict[str, Any]:
    """Show which queues the machine offers in a cut, and how many numbers it shall hold for each."""
    kiosk = _kiosk()
    return {
        "now": now(),
        "business_date": business_date(now()),
        "facility": directory.facility(session(), kiosk.facility_id).name,
        "slip_base": settings().slip_base_url + url_for("queueing.follow", public_token=""),
        "epoch": cut.epoch(session(), kiosk),
        "csrf_token": csrf_token() if principal().session_id else None,
        "queues": cut.stock(session(), kiosk, now()),
    }


@api.post("/kiosk/leases")
@keeps_its_own_keys
@guarded("kiosk.use")
@api.arguments(LeaseAskedSchema)
@api.response(201, LeaseSchema)
def take_lease(body: dict[str, Any]) -> dict[str, Any]:
    """Lend the machine numbers of a queue. The same Idempotency-Key gives the same block again."""
    kiosk = _kiosk()
    with unit_of_work() as work:
        lease = cut.take_lease(
            work,
            kiosk,
            body["queue_id"],
            body["size"],
            body["epoch"],
            request_id=press_key(),
            now=now(),
            cipher=cipher(),
        )
    return _lease(lease)


@api.post("/kiosk/leases/<uuid:lease_id>/numbers")
@guarded("kiosk.use")
@api.arguments(PressedNumbersSchema)
@api.response(200, SettledNumbersSchema)
def settle(body: dict[str, Any], lease_id: UUID) -> dict[str, list[Settled]]:
    """Hand in what the machine gave out; each press counts once, however often it is sent."""
    kiosk = _kiosk()
    presses = [Press(**each) for each in body["numbers"]]
    with unit_of_work() as work:
        settled = cut.settle(
            work,
            kiosk,
            lease_id,
            presses,
            slip_url=settings().slip_base_url + url_for("queueing.follow", public_token=""),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    return {"items": settled}


@api.post("/kiosk/leases/<uuid:lease_id>/return")
@guarded("kiosk.use")
@api.arguments(LeaseReturnSchema)
@api.response(204)
def return_rest(body: dict[str, Any], lease_id: UUID) -> None:
    """Say that no more numbers of this lease will be given out."""
    kiosk = _kiosk()
    with unit_of_work() as work:
        cut.return_rest(work, kiosk, lease_id, body["used_to"], now=now())


@api.post("/number-leases/<uuid:lease_id>/handed-in")
@public
@api.arguments(HandedInSchema)
@api.response(204)
def hand_in(body: dict[str, Any], lease_id: UUID) -> None:
    """Hand in what was given out by a machine whose token was taken back: it waits for the desk."""
    issued = [
        IssuedNumber(
            number=each["number"],
            press_key=each["press_key"],
            issued_at=each["issued_at"],
            holder=Holder(priority=each["priority"], purpose=each["purpose"]),
            print_status=each["print_status"],
        )
        for each in body["numbers"]
    ]
    with unit_of_work() as work:
        leases.hand_in(work, lease_id, body["key"], issued, now=now())


@pages.get("/cut")
@guarded("kiosk.use")
def page() -> str:
    """Show what the machine offers while it reaches nobody; the machine keeps this page."""
    facility = directory.facility(session(), _kiosk().facility_id)
    agent = settings().print_agent_url
    if agent:
        may_connect(agent)
    return render_template(
        "kiosk/cut.html",
        facility=facility,
        agent=agent,
        keys=KEYS,
        classes=[each for each in PriorityClass if each is not PriorityClass.NONE],
        clips={name: clip_path(current_locale(), name) for name in _SAID},
        lang=None if current_locale() == "vi" else current_locale(),
        now=now(),
    )


@pages.get("/sw.js")
@public
def worker() -> Response:
    """Send the kiosk's service worker; what it keeps stands at its top."""
    clips = [
        url_for("static", filename=clip_path(language, name)) for language in ("vi", "en") for name in _SAID
    ]
    kept = [url_for("kiosk-cut.page"), url_for("kiosk-cut.page", lang="en")]
    dress = dict.fromkeys(each for name in _DRESS for each in asset_with_parts(name))
    files = [*dress, url_for("static", filename="favicon.svg"), *clips]
    here = next(iter(principal().facilities(Role.KIOSK)), None)
    made_of = [*files, _made_from(), str(here), settings().print_agent_url or ""]
    digest = hashlib.sha256("|".join(made_of).encode()).hexdigest()
    shell = {"cache": f"kiosk-{digest[:16]}", "pages": kept, "files": files, "home": url_for("kiosk.home")}
    script = f"const SHELL = {json.dumps(shell)};\n{built_text('workers/kiosk.ts')}"
    answer = Response(script, content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Security-Policy"] = _WORKER_POLICY
    answer.headers["Service-Worker-Allowed"] = url_for("kiosk.home")
    return answer


@lru_cache(maxsize=1)
def _made_from() -> str:
    """Return what stands for the kept page: a new template or new words are a page to keep anew."""
    sources = (
        _HERE / "templates/kiosk/cut.html",
        _HERE / "templates/kiosk/_parts.html",
        *sorted((_HERE / "locales").glob("*.ftl")),
    )
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _lease(lease: LeaseView) -> dict[str, Any]:
    return {
        "id": lease.id,
        "queue_id": lease.queue.id,
        "place": lease.queue.place,
        "business_date": lease.business_date,
        "expires_at": lease.expires_at,
        "key": lease.key,
        "numbers": [
            {
                "number": number,
                "text": number_text(lease.queue.prefix, number),
                "slip": lease.slip(number, cipher()),
            }
            for number in range(lease.first, lease.last + 1)
        ],
    }


def _kiosk() -> Kiosk:
    facility_id = next(iter(principal().facilities(Role.KIOSK)), None)
    if facility_id is None:
        raise NotFound
    permit("kiosk.use", facility_id)
    return Kiosk.of(principal(), facility_id)
