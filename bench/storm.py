"""Kill -9, frozen workers, wrong clocks, a crashing database, providers that fail in every way, all at once;
then the provider's own ledger tells who got what how often. The control does not reconcile."""

import argparse
import secrets
from dataclasses import dataclass

from bench.messages import token_crash
from bench.messages.fleet import WRONG_CLOCKS, fleet
from bench.messages.scene import scene
from bench.messages.tempest import Plan, Tempest
from bench.messages.worker import Orders
from bench.surroundings import BenchDatabase, Surroundings, front

LEASE = 6.0
TIMEOUT = 2.0
GRACE = 3.0
IN_A_HURRY = {
    "lease": LEASE,
    "timeout": TIMEOUT,
    "safety": 0.5,
    "grace": GRACE,
    "doubt_hold": 4.0,
    "urgent_doubt_hold": 4.0,
    "retry_base": 0.1,
    "retry_cap": 2.0,
    "threads": 16,
    "batch": 20,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One sort of provider. `share` of messages and kills; `kind` tries the first of `providers` first."""

    share: float
    kind: str
    providers: tuple[str, ...]
    reconcile: bool = True


ROWS = {
    "can_be_asked": Row(0.4, "otp", ("twilio",)),
    "drops_a_second_copy": Row(0.3, "otp", ("esms",)),
    "can_neither": Row(0.3, "appointment-booked", ("zalo", "esms")),
    "control": Row(0.2, "otp", ("twilio",), reconcile=False),
}


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18795, help="of the sandbox; the next one takes receipts")
    parser.add_argument("--messages", type=int, default=10_000, help="in all rows but the control")
    parser.add_argument("--kills", type=int, default=36, help="in all rows but the control")
    parser.add_argument("--per-second", type=float, default=90.0, help="how fast messages are enqueued")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None, help="of faults, kills and crashes")
    parser.add_argument("--row", choices=[*ROWS, "token"], action="append", help="only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="1,500 messages, 10 kills")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return for each row what was lost and what came twice."""
    if options.quick:
        options.messages, options.kills = 1500, 10
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    figures: dict[str, object] = {"seed": seed, "wrong_clocks_seconds": list(WRONG_CLOCKS)}
    with surroundings.database("bench-storm") as database:
        for number, name in enumerate(options.row or [*ROWS, "token"]):
            if name == "token":
                figures[name] = token_crash.run(database, options.port, IN_A_HURRY)
            else:
                figures[name] = _row(ROWS[name], options, database, seed + number)
            print(f"{name}: {figures[name]}", flush=True)
    return figures


def _row(row: Row, options: argparse.Namespace, database: BenchDatabase, seed: int) -> dict[str, object]:
    orders = Orders(row.providers, {**IN_A_HURRY, "reconcile": row.reconcile})
    with scene(database, options.port, latency_ms=50, receipts_port=options.port + 1) as here:
        plan = Plan(
            seed=seed,
            kind=row.kind,
            providers=row.providers,
            messages=round(options.messages * row.share),
            kills=round(options.kills * row.share),
            per_second=options.per_second,
        )
        tempest = Tempest(here, database.server, plan, orders.policy)
        with (
            front(here.env, options.port + 1, workers=1),
            fleet(here.env, orders, options.workers, tempest.chance, here.log) as workers,
        ):
            return tempest.play(workers)
