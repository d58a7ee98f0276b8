"""A dispatcher in a process of its own, to be killed. Its settings come as one JSON argument."""

import json
import sys
import threading
from dataclasses import replace

from sqlalchemy import create_engine

from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.settings import NotificationSettings
from tests.notifications.hosting import QUICK, OwnSealer


def main() -> None:
    given = json.loads(sys.argv[1])
    settings = NotificationSettings.from_environ(given["environ"], sandbox_url=given["sandbox"])
    engine = create_engine(given["database"])
    sealer = OwnSealer()
    policy = replace(QUICK, timeout=30.0, lease=33.0)  # waits for the answer that never comes, until killed
    carriers = settings.carriers(Host(engine, sealer, settings.public_base_url, policy.timeout))
    Dispatcher(engine, carriers, sealer, policy=policy).run(threading.Event())


if __name__ == "__main__":
    main()
