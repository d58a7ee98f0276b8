"""A stage that fails costs its own figures only; the end of the time lets no further one begin."""

import os
import signal

from bench.day.stages import Stages


def fails() -> int:
    msg = "no such thing"
    raise RuntimeError(msg)


def test_a_stage_that_fails_is_said_and_the_others_go_on():
    stages = Stages()
    assert [stages.run("first", fails, 0), stages.run("second", lambda: 2, 0)] == [0, 2]
    assert list(stages.failed) == ["first"]
    assert "no such thing" in stages.failed["first"]


def test_when_told_to_end_no_further_stage_begins():
    stages = Stages()
    with stages.ends_when_told():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stages.run("late", lambda: 1, 0) == 0
    assert (stages.left_out, stages.failed) == (["late"], {})
