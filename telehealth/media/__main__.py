"""`python -m telehealth.media`: one media process, until it is told to stop."""

import os

import uvicorn

from telehealth.media.aiortc_engine import AiortcEngine
from telehealth.media.control import control_key, control_port
from telehealth.media.server import control_app
from telehealth.settings import Settings


def main() -> None:
    """Serve the control side on loopback; media itself takes ports of the host's ephemeral range."""
    settings = Settings.from_environ(os.environ)
    app = control_app(AiortcEngine, control_key(settings.secret_key))
    uvicorn.run(app, host="127.0.0.1", port=control_port(settings), log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
