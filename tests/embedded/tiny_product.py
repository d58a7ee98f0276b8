"""A product as small as can be, under the real supervisor."""

import os
import sys
from pathlib import Path

from telehealth.embedded.home import open_home
from telehealth.embedded.place import running_server
from telehealth.embedded.postgres import settle
from telehealth.embedded.process import Program
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


def main() -> None:
    home = open_home(Path(sys.argv[1]))
    os.environ["TINY_HOME"] = str(home)
    cluster = settle(home, os.environ, durable=False)
    with running_server(home, cluster) as (server, guard):
        supervisor = Supervisor(server, guard, dict(os.environ), home)
        with supervisor.signals():
            try:
                for name in ("first", "second"):
                    sign = home / f"{name}.pid"
                    sign.unlink(missing_ok=True)
                    command = [sys.executable, "-c", SERVES, str(sign)]
                    supervisor.start(Program(name, command, sign.exists, ready_seconds=10))
                if os.environ.get("WITH_DYING"):
                    supervisor.start(Program("weak", [sys.executable, "-c", DIES]))
                if os.environ.get("WITH_STUBBORN"):
                    supervisor.start(Program("stubborn", [sys.executable, "-c", STUBBORN], stop_seconds=0.3))
                supervisor.say("ready")
                supervisor.run()
            except Stopped:
                supervisor.say("stopping")
            finally:
                supervisor.stop()
    print("stopped", flush=True)


main()
