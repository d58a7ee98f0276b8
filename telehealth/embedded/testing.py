"""`run.py test`: a server of its own for the tests, a browser where one can be had, then pytest."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from telehealth.embedded import foreground
from telehealth.embedded.home import Lock
from telehealth.embedded.place import ROOT, Place, python, running_server, server_lock
from telehealth.embedded.postgres import Cluster, settle
from telehealth.embedded.refusal import Refusal

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTANCES = 9  # test runs at one time in one state folder


def test(place: Place, arguments: Sequence[str]) -> int:
    """Run pytest with its arguments after ours; returns its exit code. Raises Refusal."""
    browser = have_browser(place.environ)
    left_out = [] if "--long" in arguments else ["long"]
    impossible = [*([] if browser else ["browser"]), *(["root"] if os.geteuid() else [])]
    if impossible:
        _show_left_out(impossible)
    cluster, lock = _free_cluster(place)
    with running_server(place.home, cluster, lock=lock):
        _drop_databases_of_earlier_runs(cluster)
        env = _environment(place, cluster, browser)
        command = python("-m", "pytest", *options(arguments, [*left_out, *impossible]))
        return foreground.run(command, env, ROOT)


def options(arguments: Sequence[str], left_out: Sequence[str]) -> list[str]:
    """Return pytest's options: ours, then the caller's, which win."""
    given = [argument for argument in arguments if argument != "--long"]
    ours = ["-m", " and ".join(f"not {mark}" for mark in left_out)] if left_out else []
    if not any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in given):
        ours += ["-n", "2", "--dist", "loadgroup"]
    return [*ours, *given]


def have_browser(environ: Mapping[str, str]) -> Path | None:
    """Return Chromium, installed by the system if that can be done; in CI its lack is a failure."""
    browser = _find_browser(environ) or _install_browser(environ)
    if browser is None and environ.get("CI") == "true":
        msg = "No Chromium was found and none could be installed: in CI the browser tests must run."
        raise Refusal(msg)
    return browser


def _environment(place: Place, cluster: Cluster, browser: Path | None) -> dict[str, str]:
    env = place.settings() | {"TEST_DATABASE_ADMIN_URL": cluster.admin_address()}
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_DIRECT_URL"):
        env.pop(name, None)
    return env | ({"CHROMIUM": str(browser)} if browser else {})


def _show_left_out(marks: Sequence[str]) -> None:
    needs = {
        "browser": "Chromium, which is not here and which only root can install",
        "root": "the rights of root",
    }
    for mark in marks:
        sys.stderr.write(f"run.py: left out, because they need {needs[mark]}:\n")
        sys.stderr.flush()
        subprocess.run(
            python("-m", "pytest", "--collect-only", "-q", "-m", mark),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=False,
        )


def _drop_databases_of_earlier_runs(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        ).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _find_browser(environ: Mapping[str, str]) -> Path | None:
    names = [environ["CHROMIUM"]] if environ.get("CHROMIUM") else BROWSERS
    found = (shutil.which(name, path=environ.get("PATH")) for name in names)
    return next((Path(path) for path in found if path), None)


def _install_browser(environ: Mapping[str, str]) -> Path | None:
    if os.geteuid() or shutil.which("apt-get") is None:
        return None
    sys.stderr.write("run.py: installing chromium for the browser tests\n")
    sys.stderr.flush()
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
    return _find_browser(environ)


def _free_cluster(place: Place) -> tuple[Cluster, Lock]:
    """Return a test cluster that no other run uses, and its lock, held."""
    for number in range(1, INSTANCES + 1):
        prefix = "test-pg" if number == 1 else f"test-{number}-pg"
        cluster = settle(place.home, place.environ, prefix=prefix, durable=False)
        lock = server_lock(place.home, cluster)
        if lock.take():
            return cluster, lock
        lock.close()
    msg = f"{INSTANCES} test runs already use {place.home}: wait for one to end, or choose another VAR_DIR."
    raise Refusal(msg)
