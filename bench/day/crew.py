"""Processes that play facilities; no facility depends on another."""

import multiprocessing
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event
from uuid import UUID

from bench.day import scene
from bench.day.account import Account
from bench.day.agenda import ToldToEnd
from bench.day.hospital import Hospital
from bench.day.outages import Script
from bench.day.product import Product
from bench.day.scene import Plan
from telehealth import app as _composition  # noqa: F401  numbers go by the visit's path
from telehealth.settings import Settings


@dataclass
class Played:
    """What was done at a facility: its account, how often what and how long, and by which means."""

    accounts: dict[UUID, Account] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    troubles: Counter[str] = field(default_factory=Counter)
    booked: int = 0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def play(
    env: Mapping[str, str],
    admin_url: str,
    plans: Sequence[Plan],
    *,
    seed: int,
    processes: int,
    every: bool,
    enough: Event,
) -> list[Played]:
    """Play every plan, each by whichever process is free; without processes, one after another here.

    A facility that fails is noted and the others go on; once `enough` is set those at work are left out.
    """
    if not processes:
        settings, mine = Settings.from_environ(env), iter(plans)
        return list(_each(settings, admin_url, lambda: next(mine, None), seed, every=every, enough=enough))
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
        args = (dict(env), admin_url, plans_left, seed, every, enough, sender)
        workers.append(context.Process(target=_work, args=args))
        workers[-1].start()
        sender.close()
        ends.append(receiver)
    played = list(_received(ends))
    plans_left.cancel_join_thread()
    for worker in workers:
        worker.join()
    ended = [f"a process ended by {worker.exitcode}" for worker in workers if worker.exitcode]
    return [*played, Played(failures=ended)] if ended else played


def _received(ends: list[Connection]) -> Iterator[Played]:
    """Yield what the processes did, as they tell it, until the last has ended."""
    while ends:
        ready = wait(ends)
        for end in [each for each in ends if each in ready]:
            try:
                yield end.recv()
            except EOFError:
                ends.remove(end)


def _script(plan: Plan, seed: int, *, every: bool) -> Script:
    return Script.of(plan.place.code, seed, every=every)


def _each(
    settings: Settings,
    admin_url: str,
    next_plan: Callable[[], Plan | None],
    seed: int,
    *,
    every: bool,
    enough: Event,
) -> Iterator[Played]:
    """Play one plan after another, and tell of each."""
    while not enough.is_set() and (plan := next_plan()) is not None:
        played, began = Played(), time.process_time()
        script = _script(plan, seed, every=every)
        try:
            play_here(settings, admin_url, plan, played, seed=seed, script=script, told_to_end=enough.is_set)
        except ToldToEnd:
            pass  # of this facility there is no account: it is left out
        except Exception:  # noqa: BLE001  the others' days count all the same
            played.failures.append(f"{plan.place.code}: {traceback.format_exc()[-2000:]}")
        played.cpu_seconds = time.process_time() - began
        played.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield played


def play_here(
    settings: Settings,
    admin_url: str,
    plan: Plan,
    played: Played,
    *,
    seed: int,
    script: Script,
    told_to_end: Callable[[], bool] = lambda: False,
) -> None:
    """Play one facility's day by its script of troubles. Raises ToldToEnd."""
    product = Product(settings, admin_url, script, f"{seed}:{plan.place.code}")
    try:
        played.booked += scene.book(plan, settings)
        hospital = Hospital(plan.place, plan.people, product, script, str(seed))
        played.accounts[plan.place.id] = hospital.run(told_to_end)
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
    enough: Event,
    sender: Connection,
) -> None:
    # Whoever ends the benchmark ends its whole group; here `enough` does, and what was told before is kept.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = Settings.from_environ(env)
    for played in _each(settings, admin_url, plans.get, seed, every=every, enough=enough):
        sender.send(played)
    sender.close()
    plans.cancel_join_thread()
