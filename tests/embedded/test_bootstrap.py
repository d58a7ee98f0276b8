"""The bare start: an old Python, a missing part, a second time."""

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from telehealth.embedded.bootstrap import Environment, prepare
from telehealth.embedded.refusal import Refusal
from tests.embedded.conftest import ROOT

RUN = ROOT / "run.py"


def test_an_old_python_is_told_which_one_is_needed() -> None:
    ast.parse(RUN.read_text(), feature_version=(3, 4))
    old = "import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_path(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", old, RUN], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "Python 3.11 or newer is needed, and this is Python 3.9: run this file with a newer one.\n"
    )


def test_the_bare_part_needs_nothing_but_the_standard_library() -> None:
    bare = "import telehealth.embedded.bootstrap"
    subprocess.run([sys.executable, "-S", "-c", bare], cwd=ROOT, check=True)


def test_an_unknown_command_shows_the_known_ones(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "telehealth.embedded", "sevre"],
        env={**os.environ, "VAR_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no command 'sevre'" in done.stderr
    assert "python3 run.py test" in done.stderr


def test_a_python_without_ensurepip_is_told_the_package(folder: Path) -> None:
    program = (
        "import sys; sys.modules['ensurepip'] = None\n"
        "from pathlib import Path; from telehealth.embedded.bootstrap import Environment\n"
        "from telehealth.embedded.refusal import Refusal\n"
        "try: Environment(Path(sys.argv[1])).install(Path(sys.argv[2]), {'PATH': '/nowhere'})\n"
        "except Refusal as refusal: print(refusal)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, folder / ".venv", ROOT / "requirements.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "on Debian and Ubuntu `apt install python3-venv` adds what is missing." in done.stdout
    assert not (folder / ".venv").exists()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose environment is made once for these tests: that takes seconds."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "run.py").touch()
    return folder


@pytest.mark.xdist_group("project")
def test_what_uv_cannot_install_is_left_to_pip_and_done_only_once(project: Path) -> None:
    folder = project
    (folder / "requirements.txt").write_text("pip==0 ; python_version < '3'\n")
    installers = folder / "bin"
    installers.mkdir()
    broken_uv = installers / "uv"
    broken_uv.write_text(f"#!/bin/sh\necho called >> {folder}/uv-calls\nexit 2\n")
    broken_uv.chmod(broken_uv.stat().st_mode | stat.S_IXUSR)
    environ = {**os.environ, "PATH": f"{installers}:/usr/bin:/bin"}
    for _ in range(2):
        environment = prepare(folder, development=False, environ=environ)
    assert (folder / "uv-calls").read_text() == "called\n"
    assert environment.has(folder / "requirements.txt")
    (folder / "requirements.txt").write_text("pip==1 ; python_version < '3'\n")
    assert not environment.has(folder / "requirements.txt")


@pytest.mark.xdist_group("project")
def test_requirements_that_cannot_be_had_are_refused_in_one_sentence(project: Path) -> None:
    folder = project
    (folder / "requirements.txt").write_text("pip==0 --hash=sha256:" + "0" * 64 + "\n")
    environ = {**os.environ, "TELEHEALTH_INSTALLER": "pip", "PIP_NO_INDEX": "1"}
    with pytest.raises(Refusal, match=r"The packages of requirements\.txt could not be installed"):
        prepare(folder, development=False, environ=environ)
    assert not Environment(folder / ".venv").has(folder / "requirements.txt")
