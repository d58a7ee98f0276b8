"""`run.py --node`: what a node starts, and what its first start needs."""

from pathlib import Path

import pytest

from telehealth.embedded import node
from telehealth.embedded.node import ENROLMENT, Wish
from telehealth.embedded.place import Place
from telehealth.embedded.refusal import Refusal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.from_environ({"VAR_DIR": str(tmp_path), "PORT": "18255", "DEMO": "0"})


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "is_current", lambda _url: True)


ENV = {"DATABASE_OWNER_URL": "postgresql://nobody"}


def test_the_first_start_enrols(place: Place, current: None):
    wish = Wish.read(["--node", "77001", "--centre", "https://kham.example.vn", "--code", "ABCDE23456"])
    (step,) = node._steps(place, ENV, wish)
    assert step.name == "enrol"
    assert list(step.command)[-3:] == ["77001", "https://kham.example.vn", "ABCDE23456"]


def test_the_first_start_without_a_code_says_what_is_missing(place: Place, current: None):
    with pytest.raises(Refusal, match="--code"):
        list(node._steps(place, ENV, Wish.read(["--node", "77001"])))


def test_a_later_start_needs_neither_centre_nor_code(place: Place, current: None):
    (place.home / ENROLMENT).write_text("CENTRE_URL=https://kham.example.vn\nTICKET_KEY=a\n")
    assert list(node._steps(place, ENV, Wish.read(["--node", "77001"]))) == []
    assert node._enrolment(place)["CENTRE_URL"] == "https://kham.example.vn"


def test_a_node_runs_a_worker_and_a_front_and_no_more(place: Place):
    worker, front = node._programs(place)
    assert (worker.name, front.name) == ("worker", "front")
    assert "0.0.0.0:18255" in front.command
