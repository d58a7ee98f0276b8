"""Kill -9, frozen workers, wrong clocks, a crashing database, providers that fail in every way, all at once;
then the provider's own ledger tells who got what how often. The control does not reconcile."""

import argparse
import secrets
from dataclasses import replace

from bench.messages import token_crash
from bench.messages.fleet import WRONG_CLOCKS, fleet
from bench.messages.provider import PROVIDERS
from bench.messages.scene import Receipts, scene
from bench.messages.tempest import Plan, Tempest
from bench.messages.worker import Orders
from bench.surroundings import BenchDatabase, Surroundings, front

PARTS = ("storm", "control", "token")
CONTROL = 5  # one in so many messages and kills, but never fewer than
CONTROL_MESSAGES, CONTROL_KILLS = 600, 5
# Seconds after which receipts come: mostly too late to answer what the provider must then be asked.
RECEIPTS_AFTER = 4.0
IN_A_HURRY = {
    "lease": 6.0,
    "timeout": 2.0,
    "safety": 0.5,
    "grace": 3.0,
    "doubt_hold": 8.0,
    "urgent_doubt_hold": 8.0,
    "retry_base": 0.1,
    "retry_cap": 2.0,
    "threads": 16,
    "batch": 20,
}


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18795, help="of the sandbox; the next one takes receipts")
    parser.add_argument("--messages", type=int, default=10_000, help="the control has fewer")
    parser.add_argument("--kills", type=int, default=36, help="the control has fewer")
    parser.add_argument("--per-second", type=float, default=90.0, help="how fast messages are enqueued")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None, help="of faults, kills and crashes")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--quick", action="store_true", help="1,200 messages, 10 kills, no token crash")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return what was lost and what came twice: in the storm, without reconciliation, after a lost token."""
    parts = options.part or PARTS
    if options.quick:
        options.messages, options.kills, parts = 1200, 10, options.part or PARTS[:2]
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    plan = Plan(seed, options.messages, options.kills, options.per_second)
    control = replace(
        plan,
        messages=max(CONTROL_MESSAGES, plan.messages // CONTROL),
        kills=max(CONTROL_KILLS, plan.kills // CONTROL),
    )
    figures: dict[str, object] = {"seed": seed, "wrong_clocks_seconds": list(WRONG_CLOCKS)}
    with surroundings.database("bench-storm") as database:
        if "storm" in parts:
            figures["storm"] = _storm(plan, options, database, reconcile=True)
        if "control" in parts:
            figures["control_without_reconciliation"] = _storm(control, options, database, reconcile=False)
        if "token" in parts:
            figures["token_refresh_crash"] = token_crash.run(database, options.port, IN_A_HURRY)
    return figures


def _storm(
    plan: Plan, options: argparse.Namespace, database: BenchDatabase, *, reconcile: bool
) -> dict[str, object]:
    orders = Orders(PROVIDERS, {**IN_A_HURRY, "reconcile": reconcile})
    receipts = Receipts(options.port + 1, after=RECEIPTS_AFTER)
    with scene(database, options.port, latency_ms=50, receipts=receipts) as here:
        tempest = Tempest(here, database.server, plan, orders.policy)
        with (
            front(here.env, receipts.port, workers=1),
            fleet(here.env, orders, options.workers, tempest.chance, here.log) as workers,
        ):
            return tempest.play(workers)
