"""A product as small as can be, under the real supervisor."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from telehealth.embedded.home import open_home
from telehealth.embedded.place import running_server
from telehealth.embedded.postgres import settle
from telehealth.embedded.process import Program
from telehealth.embedded.refusal import Refusal
from telehealth.embedded.supervisor import Stopped, Supervisor

SAYS = "import os,signal,sys,time; signal.signal(15, lambda *_: (print('bye', flush=True), os._exit(0)))\n"
SERVES = (
    SAYS
    + "print('here', flush=True); open(sys.argv[1], 'w').write(str(os.getpid()))\nwhile True: time.sleep(60)"
)
DIES = "import sys; sys.exit(3)"
STUBBORN = (
    "import signal,time; signal.signal(15, signal.SIG_IGN); print('never', flush=True)\ntime.sleep(600)"
)


def programs(home: Path) -> Iterator[Program]:
    for name in ("first", "second"):
        sign = home / f"{name}.pid"
        sign.unlink(missing_ok=True)
        yield Program(name, [sys.executable, "-c", SERVES, str(sign)], sign.exists, ready_seconds=10)
    if os.environ.get("WITH_DYING"):
        yield Program("weak", [sys.executable, "-c", DIES])
    if os.environ.get("WITH_BROKEN"):
        yield Program("broken", [sys.executable, "-c", DIES], lambda: False)
    if os.environ.get("WITH_STUBBORN"):
        yield Program("stubborn", [sys.executable, "-c", STUBBORN], stop_seconds=0.3)


def main() -> None:
    home = open_home(Path(sys.argv[1]))
    os.environ["TINY_HOME"] = str(home)
    cluster = settle(home, os.environ, durable=False)
    with running_server(home, cluster) as (server, guard):
        supervisor = Supervisor(server, guard, dict(os.environ), home)
        with supervisor.signals():
            try:
                supervisor.start(programs(home))
                supervisor.say("ready")
                supervisor.run()
            except (Stopped, Refusal) as reason:
                supervisor.say(f"stopping {reason}")
            finally:
                supervisor.stop()
    print("stopped", flush=True)


main()
