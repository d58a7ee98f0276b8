"""Processes that play facilities; no facility depends on another."""

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from uuid import UUID

from bench.day import scene
from bench.day.hospital import Account, Hospital
from bench.day.outages import Script
from bench.day.product import Product
from bench.day.scene import Plan
from telehealth import app as _composition  # noqa: F401  numbers go by the visit's path
from telehealth.settings import Settings


@dataclass
class Played:
    """What one process did: the accounts of its facilities, how often what and how long."""

    accounts: dict[UUID, Account] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    troubles: Counter[str] = field(default_factory=Counter)
    booked: int = 0
    cpu_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def play(
    env: Mapping[str, str], admin_url: str, plans: Sequence[Plan], *, seed: int, processes: int, every: bool
) -> list[Played]:
    """Play every plan, each by whichever process is free; without processes, one after another here.

    Raises RuntimeError if one failed.
    """
    if not processes:
        return [_play_all(env, admin_url, plans, seed=seed, every=every)]
    context = multiprocessing.get_context("spawn")
    plans_left = context.Queue()
    for plan in plans:
        plans_left.put(plan)
    for _ in range(processes):
        plans_left.put(None)
    ends: list[Connection] = []
    workers = []
    for _ in range(processes):
        receiver, sender = context.Pipe(duplex=False)
        workers.append(
            context.Process(target=_work, args=(dict(env), admin_url, plans_left, seed, every, sender))
        )
        workers[-1].start()
        sender.close()
        ends.append(receiver)
    played: list[Played] = [end.recv() for end in ends]
    for worker in workers:
        worker.join()
    failures = [failure for each in played for failure in each.failures]
    if failures:
        raise RuntimeError(failures[0])
    return played


def _script(plan: Plan, seed: int, *, every: bool) -> Script:
    return Script.of(plan.place.code, seed, every=every)


def _play_all(
    env: Mapping[str, str], admin_url: str, plans: Sequence[Plan], *, seed: int, every: bool
) -> Played:
    played, began = Played(), time.process_time()
    for plan in plans:
        play_here(
            Settings.from_environ(env),
            admin_url,
            plan,
            played,
            seed=seed,
            script=_script(plan, seed, every=every),
        )
    played.cpu_seconds = time.process_time() - began
    return played


def play_here(
    settings: Settings, admin_url: str, plan: Plan, played: Played, *, seed: int, script: Script
) -> None:
    """Play one facility's day by its script of troubles."""
    product = Product(settings, admin_url, script, f"{seed}:{plan.place.code}")
    try:
        played.booked += scene.book(plan, settings)
        hospital = Hospital(plan.place, plan.people, product, script, str(seed))
        played.accounts[plan.place.id] = hospital.run()
    finally:
        played.done += product.done
        for name, seconds in product.seconds.items():
            played.seconds[name] = played.seconds.get(name, 0.0) + seconds
        played.troubles += product.troubles
        product.close()


def _work(
    env: dict[str, str],
    admin_url: str,
    plans: "multiprocessing.Queue[Plan | None]",
    seed: int,
    every: bool,
    sender: Connection,
) -> None:
    settings, played = Settings.from_environ(env), Played()
    began = time.process_time()
    while (plan := plans.get()) is not None:
        try:
            play_here(settings, admin_url, plan, played, seed=seed, script=_script(plan, seed, every=every))
        except Exception:  # noqa: BLE001  whatever it was, the parent raises it
            played.failures.append(f"{plan.place.code}: {traceback.format_exc()}")
    played.cpu_seconds = time.process_time() - began
    sender.send(played)
