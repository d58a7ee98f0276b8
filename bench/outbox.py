"""Messages: how fast one worker sends, a burst, a steady flow, and what enqueueing costs a booking."""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bench.messages import enqueueing
from bench.messages.posting import message
from bench.messages.provider import Acceptance
from bench.messages.scene import scene
from bench.messages.worker import Orders
from bench.surroundings import BenchDatabase, Surroundings, percentiles
from telehealth.core.clock import system_clock

# By provider: a kind of message whose first channel is that provider's.
ROUTES = {"zalo": "appointment-reminder-day", "esms": "otp", "twilio": "otp"}
WARM_UP_MESSAGES = 500
TRICKLE_SECONDS = 0.2
FLOW_STEP_SECONDS = 0.1
ON_TIME_MS = 10_000
WAKE_UP = 9_000_000  # the number of the first message that is not counted


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18790, help="of the sandbox provider")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--route", choices=ROUTES, action="append", help="sustained: only by this provider")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--batch", type=int, default=100, help="messages per claim")
    parser.add_argument("--latency-ms", type=float, default=100.0, help="of the provider")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each sustained rate and of the flow")
    parser.add_argument("--burst", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=100.0, help="sends a second that a provider allows")
    parser.add_argument("--per-second", type=float, default=50.0, help="offered in the flow")
    parser.add_argument("--bookings", type=int, default=400, help="pairs, with messages and without")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return each part's figures under its name."""
    figures: dict[str, object] = {"threads": options.threads, "provider_ms": options.latency_ms}
    with surroundings.database() as database:
        for name in options.part or PARTS:
            figures[name] = PARTS[name](options, database)
    return figures


def _sustained(options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    return {route: _sustained_by(route, options, database) for route in options.route or ROUTES}


def _sustained_by(route: str, options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    """Send from a full outbox, and read the rate from the provider's own ledger."""
    most_per_second = options.threads * 1000 / max(options.latency_ms, 50)
    waiting = WARM_UP_MESSAGES + int(options.seconds * most_per_second)
    with scene(database, options.port, latency_ms=options.latency_ms) as here:
        now = system_clock()
        here.post(message(ROUTES[route], number, now) for number in range(waiting))
        with here.working(_orders(options, route)):
            here.provider.wait_for(WARM_UP_MESSAGES, 60)
            before = here.read()
            here.provider.wait_for(waiting, options.seconds)
            after = here.read()
    sent = max(after.accepted - before.accepted, 1)
    return {
        "per_second": round(sent / (after.at - before.at), 1),
        "messages": sent,
        "cpu_ms_per_message": {
            part: round(1000 * (after.cpu[part] - before.cpu[part]) / sent, 3) for part in after.cpu
        },
    }


def _burst(options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    """Let many reminders fall due in one moment, while one-time codes are asked for all along."""
    with scene(database, options.port, latency_ms=options.latency_ms) as here:
        due_at = system_clock() + timedelta(seconds=5 + options.burst / 1000)
        here.post(message("appointment-reminder-day", number, due_at) for number in range(options.burst))

        def waiting() -> bool:
            return bool(len(here.provider.accepted()) < options.burst)

        with here.working(_orders(options, "zalo", "esms")):
            asked = here.flow("otp", first=options.burst, step=TRICKLE_SECONDS, going=waiting)
            here.provider.wait_for(options.burst + len(asked), 60)
        accepted = here.provider.accepted()
    drained = max(item.at for item in accepted if item.number < options.burst) - due_at.timestamp()
    meanwhile = {number: at for number, at in asked.items() if 0 <= at - due_at.timestamp() < drained}
    return {
        "messages": options.burst,
        "drained_seconds": round(drained, 2),
        "per_second": round(options.burst / drained, 1),
        "codes_meanwhile": len(meanwhile),
        "code_to_provider_ms": percentiles(_delays(accepted, meanwhile)),
        **_strays(accepted, options.burst + len(asked)),
    }


def _limited(options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    """Send from a full outbox by a provider that allows so many per second, with two workers."""
    limit: float = options.limit
    waiting = int(limit * (options.seconds + 10))
    orders = replace(_orders(options, "zalo"), rates={"zalo": limit})
    with scene(database, options.port, latency_ms=options.latency_ms) as here:
        now = system_clock()
        here.post(message(ROUTES["zalo"], number, now) for number in range(waiting))
        with here.working(orders), here.working(orders):
            here.provider.wait_for(int(limit), 60)
            before = here.read()
            here.provider.wait_for(waiting, options.seconds)
            after = here.read()
        throttled = here.count("SELECT count(*) FROM notifications.delivery_attempt WHERE code = '429'")
    per_second = (after.accepted - before.accepted) / (after.at - before.at)
    seconds = Counter(int(item.at) for item in here.provider.accepted())
    return {
        "limit_per_second": limit,
        "workers": 2,
        "per_second": round(per_second, 1),
        "percent_of_limit": round(100 * per_second / limit, 1),
        "most_in_one_second": max(seconds.values()),
        "throttled": throttled,
    }


def _flow(options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    """Offer so many messages per second to a worker that is awake."""
    step = FLOW_STEP_SECONDS
    with (
        scene(database, options.port, latency_ms=options.latency_ms) as here,
        here.working(_orders(options, "zalo", "esms")),
    ):
        here.post(message("otp", WAKE_UP + number, system_clock()) for number in range(20))
        here.provider.wait_for(20, 60)
        asked = here.flow(
            "appointment-booked",
            first=0,
            step=step,
            going=_for_seconds(options.seconds),
            each=round(options.per_second * step),
        )
        here.provider.wait_for(20 + len(asked), 60)
        accepted = here.provider.accepted()
    delays = _delays(accepted, asked)
    return {
        "offered": len(asked),
        "due_to_provider_ms": percentiles(delays),
        "longest_ms": round(max(delays), 1),
        "percent_within_10_seconds": round(100 * sum(d <= ON_TIME_MS for d in delays) / len(asked), 3),
        **_strays(accepted, 20 + len(asked)),
    }


def _booking(options: argparse.Namespace, database: BenchDatabase) -> dict[str, object]:
    return enqueueing.cost_per_booking(database, options.bookings)


PARTS: Mapping[str, Callable[[argparse.Namespace, BenchDatabase], dict[str, object]]] = {
    "sustained": _sustained,
    "burst": _burst,
    "limited": _limited,
    "flow": _flow,
    "booking": _booking,
}


def _orders(options: argparse.Namespace, *providers: str) -> Orders:
    return Orders(providers, {"threads": options.threads, "batch": options.batch})


def _for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def _delays(accepted: Sequence[Acceptance], due: Mapping[int, float]) -> list[float]:
    """Milliseconds from falling due to the provider's acceptance, of each message in `due`."""
    return [1000 * (item.at - due[item.number]) for item in accepted if item.number in due]


def _strays(accepted: Sequence[Acceptance], expected: int) -> dict[str, int]:
    """What must be zero also in good weather."""
    times = Counter(item.number for item in accepted)
    return {"lost": expected - len(times), "duplicates": len(accepted) - len(times)}
