"""The bare start: an old Python, a missing part, a second time."""

import ast
import os
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


def program(path: Path, exit_code: int = 0) -> Path:
    """Lay down a program that only notes how it was called, in `calls` beside its folder."""
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(
        f'#!/bin/sh\necho "$(basename "$0") $@" >> "$(dirname "$0")/../calls"\nexit {exit_code}\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def project(folder: Path) -> Path:
    """A project whose environment stands already, with a Python that only notes what it is asked."""
    (folder / "run.py").touch()
    (folder / "requirements.txt").write_text("flask==3.1.3 --hash=sha256:0\n")
    for name in ("python", "pip"):
        program(folder / ".venv" / "bin" / name)
    (folder / ".venv" / "pyvenv.cfg").write_text("version = 3.11.7\n")
    return folder


def test_what_uv_cannot_install_is_left_to_pip(project: Path) -> None:
    program(project / "tools" / "uv", exit_code=2)
    prepare(project, development=False, environ={"PATH": f"{project}/tools:/usr/bin:/bin"})
    arguments = f"--quiet --require-hashes -r {project}/requirements.txt"
    assert (
        f"python -m pip --disable-pip-version-check install {arguments}"
        in (project / ".venv/calls").read_text()
    )
    assert "uv pip install --quiet --python" in (project / "calls").read_text()


def test_the_second_start_installs_nothing_until_the_requirements_change(project: Path) -> None:
    program(project / "tools" / "uv")
    environ = {"PATH": f"{project}/tools:/usr/bin:/bin"}
    for _ in range(2):
        prepare(project, development=False, environ=environ)
    assert (project / "calls").read_text().count("uv pip install") == 1
    (project / "requirements.txt").write_text("flask==3.1.4 --hash=sha256:0\n")
    prepare(project, development=False, environ=environ)
    assert (project / "calls").read_text().count("uv pip install") == 2


def test_requirements_that_cannot_be_had_are_refused_in_one_sentence(project: Path) -> None:
    program(project / ".venv" / "bin" / "python", exit_code=1)
    environ = {"PATH": "/usr/bin:/bin", "TELEHEALTH_INSTALLER": "pip"}
    with pytest.raises(Refusal, match=r"The packages of requirements\.txt could not be installed"):
        prepare(project, development=False, environ=environ)
    assert not Environment(project / ".venv").has(project / "requirements.txt")


@pytest.mark.long
def test_a_real_environment_is_made_and_found_again(folder: Path) -> None:
    (folder / "run.py").touch()
    (folder / "requirements.txt").write_text("pip==0 ; python_version < '3'\n")
    environment = prepare(folder, development=False, environ={**os.environ, "TELEHEALTH_INSTALLER": "pip"})
    assert environment.has(folder / "requirements.txt")
    subprocess.run([environment.python, "-c", "import sys; assert sys.prefix != sys.base_prefix"], check=True)
