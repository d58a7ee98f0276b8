"""The supervisor: nothing outlives it, nothing stays down, and it stops in order."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil

from telehealth.embedded.postgres import until
from telehealth.embedded.watchdog import alive
from tests.embedded.conftest import processes_of, read_until

TinyProduct = Callable[..., "subprocess.Popen[str]"]


def pid_of(var: Path, name: str) -> int:
    return int((var / f"{name}.pid").read_text())


def test_stops_in_reverse_order_and_leaves_nothing(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var)
    started = read_until(product, "ready")
    assert sorted(line for line in started if "here" in line) == ["first    | here", "second   | here"]
    assert len(processes_of(var)) >= 4
    product.send_signal(signal.SIGTERM)
    ended = read_until(product, "stopped")
    assert [line for line in ended if "bye" in line] == ["second   | bye", "first    | bye"]
    assert product.wait(10) == 0
    assert not processes_of(var)


def test_ctrl_c_stops_as_cleanly(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    product.send_signal(signal.SIGINT)
    read_until(product, "stopped")
    assert product.wait(10) == 0


def test_a_killed_program_is_started_again(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    before = pid_of(var, "first")
    os.kill(before, signal.SIGKILL)
    assert "first    | ended with -9; starts again in 0.5 s" in read_until(product, "starts again")
    assert until(lambda: pid_of(var, "first") != before, 10)


def test_a_program_that_keeps_dying_is_tried_ever_more_slowly(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var, WITH_DYING="1")
    lines = [read_until(product, "starts again")[-1] for _ in range(3)]
    assert lines == [f"weak     | ended with 3; starts again in {pause} s" for pause in ("0.5", "1", "2")]


def test_a_program_that_will_not_stop_is_killed(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var, WITH_STUBBORN="1")
    read_until(product, "never")
    product.send_signal(signal.SIGTERM)
    read_until(product, "stopped")
    assert product.wait(10) == 0
    assert not processes_of(var)


def test_a_program_that_never_comes_to_serve_ends_the_start(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var, WITH_BROKEN="1")
    assert "broken does not come to serve: see its lines above." in read_until(product, "does not come")[-1]
    assert product.wait(20) == 0
    assert not processes_of(var)


def test_a_killed_server_comes_back_under_the_running_programs(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    os.kill(server_pid(product), signal.SIGKILL)
    read_until(product, "postgres | stopped unexpectedly and was started again")
    assert alive(pid_of(var, "first"))


def test_nothing_outlives_a_supervisor_killed_with_9(var: Path, tiny_product: TinyProduct) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    server = server_pid(product)
    product.kill()
    product.wait()
    assert until(lambda: not alive(server) and not processes_of(var), 10)


def test_nothing_outlives_the_supervisor_even_when_its_watchdog_was_killed_too(
    var: Path, tiny_product: TinyProduct
) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    server = server_pid(product)
    watchdog = next(
        child for child in psutil.Process(product.pid).children() if "watchdog.py" in str(child.cmdline())
    )
    watchdog.kill()
    product.kill()
    product.wait()
    assert until(lambda: not alive(server) and not processes_of(var), 10)


def test_a_start_right_after_the_kill_waits_for_a_clean_table(var: Path, tiny_product: TinyProduct) -> None:
    first = tiny_product(var)
    read_until(first, "ready")
    first.kill()
    second = tiny_product(var)
    read_until(second, "ready")
    first.wait()
    assert server_pid(second)


def server_pid(product: "subprocess.Popen[str]") -> int:
    children = psutil.Process(product.pid).children()
    return next(child.pid for child in children if child.name() == "postgres")
