"""A hospital's busy hour over HTTP: kiosks press, consoles call, serve and finish, all at once.

Presses and calls are said again under the same key now and then; both answers must be one.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg

from bench.day.account import Account
from bench.day.audit import audit
from bench.day.scene import Plan
from bench.surroundings import percentiles
from telehealth.core.clock import business_date, system_clock

AGAIN = 0.06
_SLACK = timedelta(seconds=5)


@dataclass
class Rush:
    """What kiosks and consoles were told; shared by their threads."""

    address: str
    left: list[int]
    account: Account = field(default_factory=Account)
    statuses: Counter[str] = field(default_factory=Counter)
    milliseconds: dict[str, list[float]] = field(
        default_factory=lambda: {"press": [], "call": [], "step": []}
    )
    lock: threading.Lock = field(default_factory=threading.Lock)
    pressing: int = 0

    def note(self, kind: str, status: int, began: float) -> None:
        """Count an answer."""
        with self.lock:
            self.statuses[f"{kind} {status}"] += 1
            self.milliseconds[kind].append((time.perf_counter() - began) * 1000)


class _Client:
    def __init__(self, rush: Rush, token: str, seed: int) -> None:
        parts = urlsplit(rush.address)
        self._line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._rush, self._token, self.dice = rush, token, random.Random(seed)

    def post(self, kind: str, path: str, *, key: str = "", version: int | None = None, **body: Any) -> Any:
        """Post, the same again now and then; returns (status, answer)."""
        status, answer = self._post(kind, path, key, version, body)
        if key and self.dice.random() < AGAIN:
            _status, second = self._post(kind, path, key, version, body)
            if status < 400 and second.get("id") != answer.get("id"):
                self._rush.account.changed_answers += 1
        return status, answer

    def _post(self, kind: str, path: str, key: str, version: int | None, body: Mapping[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": f'"{version}"'} if version is not None else {}
        began = time.perf_counter()
        self._line.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        response = self._line.getresponse()
        text = response.read()
        self._rush.note(kind, response.status, began)
        return response.status, json.loads(text) if text else {}


def run(address: str, admin_url: str, plan: Plan, presses: int, *, kiosks: int = 3) -> dict[str, object]:
    """Play the hour at one facility, today by the clock, and judge it."""
    rush = Rush(address, [presses])
    registration = next(each for each in plan.place.queues if each.kind == "registration")
    room = next(each for each in plan.place.queues if each.id == plan.place.rooms[0])
    rush.pressing = kiosks
    threads = [
        threading.Thread(
            target=_kiosk, args=(_Client(rush, plan.kiosk_token, n), rush, registration.id, room.id)
        )
        for n in range(kiosks)
    ]
    for queue in (registration, room):
        threads += [
            threading.Thread(
                target=_console, args=(_Client(rush, plan.clerk_token, 50 + n), rush, queue.id, point)
            )
            for n, point in enumerate(queue.points)
        ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    with psycopg.connect(admin_url) as admin:
        found = audit(admin, business_date(system_clock()), {plan.place.id: rush.account}, slack=_SLACK)
    after = {"tickets_left_open", "visits_not_ended", "people_lost"}  # the hour ends, the day goes on
    return {
        "seconds": round(seconds, 1),
        "numbers": found.numbers,
        "calls": found.calls,
        "statuses": dict(rush.statuses),
        "milliseconds": {kind: percentiles(taken) for kind, taken in rush.milliseconds.items()},
        "violations": {
            kind: count for kind, count in found.violations.items() if kind not in after and count
        },
    }


def _kiosk(client: _Client, rush: Rush, registration: UUID, room: UUID) -> None:
    while True:
        with rush.lock:
            rush.left[0] -= 1
            if rush.left[0] < 0:
                rush.pressing -= 1
                return
        queue = room if client.dice.random() < 0.2 else registration
        key = str(uuid4())
        priority = "pregnant" if client.dice.random() < 0.1 else "none"
        status, answer = client.post("press", f"/queues/{queue}/tickets", key=key, priority=priority)
        if status == 201:
            with rush.lock:
                rush.account.presses[key] = UUID(answer["id"])


def _console(client: _Client, rush: Rush, queue: UUID, point: UUID) -> None:
    """Call, serve and finish until nobody comes and nobody waits."""
    while True:
        status, called = client.post(
            "call", f"/queues/{queue}/call-next", key=str(uuid4()), service_point_id=str(point)
        )
        if status == 409:
            if not rush.pressing:
                return
            time.sleep(0.02)
            continue
        if status != 200:
            continue
        ways: Sequence[str] = ("recall", "start", "done")
        if client.dice.random() < 0.06:
            ways = ("recall", "skip")
        version = called["version"]
        for step in ways if client.dice.random() < 0.2 else ways[1:]:
            status, answer = client.post("step", f"/tickets/{called['id']}/{step}", version=version)
            version = answer.get("version", version)
