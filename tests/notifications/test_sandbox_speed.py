"""The sandbox must not be what a benchmark measures."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psutil
import pytest
import requests

from tests.notifications.sandboxes import ESMS_SEND, new_phone, running_sandbox
from tests.notifications.test_sandbox_esms import body

SENDS = 3000
WORKERS = 8

pytestmark = pytest.mark.long


def send_many(url: str, count: int) -> None:
    with requests.Session() as session:
        for _ in range(count):
            wanted = body(new_phone(), Content=f"Lich kham 08:30 ngay mai, ma {uuid4().hex[:8]}")
            answer = session.post(url + ESMS_SEND, json=wanted, timeout=30)
            assert answer.json()["CodeResult"] == "100"


def test_a_send_costs_little_and_memory_stays_small() -> None:
    with running_sandbox() as (url, _):
        port = int(url.rpartition(":")[2])
        own = psutil.Process().children()
        process = next(child for child in own if port in {c.laddr.port for c in child.net_connections()})
        send_many(url, 50)
        before, size = process.cpu_times(), process.memory_info().rss
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda _: send_many(url, SENDS // WORKERS), range(WORKERS)))
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        assert spent / SENDS < 0.0008
        assert (process.memory_info().rss - size) / SENDS < 6000
        assert requests.get(url + "/_sandbox/tally", timeout=5).json()["accepted"] == SENDS + 50
