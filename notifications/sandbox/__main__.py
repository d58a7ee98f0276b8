"""`python -m notifications.sandbox --port 8001`: the providers of demo and tests, on this machine only."""

import argparse
import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from notifications.channels.twilio.account import SANDBOX as SANDBOX_TWILIO
from notifications.channels.zalo.account import SANDBOX as SANDBOX_ZALO
from notifications.sandbox.app import create_app
from notifications.sandbox.callbacks import Callbacks
from notifications.sandbox.desk import Credentials, Desk
from notifications.sandbox.ledger import Ledger

HOST = "127.0.0.1"


class CuttableProtocol(H11Protocol):
    """Lets a request cut its own connection, as a failing provider does."""

    def connection_made(self, transport: Any) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    listener = socket.create_server((HOST, arguments.port))
    desk = _desk(os.environ, arguments.ledger, arguments.delivery_seconds)
    config = uvicorn.Config(
        create_app(desk), http=CuttableProtocol, log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    print(f"sandbox listens on http://{HOST}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m notifications.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument(
        "--ledger", type=Path, default=_default_ledger(), help="keep the messages in this file"
    )
    parser.add_argument("--delivery-seconds", type=float, default=1.0)
    return parser.parse_args()


def _default_ledger() -> Path | None:
    folder = os.environ.get("VAR_DIR")
    return Path(folder) / "sandbox-messages.jsonl" if folder and Path(folder).is_dir() else None


def _desk(environ: Mapping[str, str], ledger: Path | None, delivery_seconds: float) -> Desk:
    values = SANDBOX_TWILIO | SANDBOX_ZALO | {name: value for name, value in environ.items() if value}
    public = values.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{values.get('PORT', '8000')}"
    credentials = Credentials(
        twilio_account_sid=values["TWILIO_ACCOUNT_SID"],
        twilio_auth_token=values["TWILIO_AUTH_TOKEN"],
        zalo_app_secret=values["ZALO_APP_SECRET"],
        zalo_oa_secret=values["ZALO_OA_SECRET"],
        zalo_first_refresh_token=values["ZALO_REFRESH_TOKEN"],
    )
    callbacks = Callbacks(
        twilio_auth_token=credentials.twilio_auth_token,
        zalo_oa_secret=credentials.zalo_oa_secret,
        zalo_webhook=public.rstrip("/") + "/webhooks/zalo",
    )
    return Desk(credentials, Ledger(ledger), callbacks, delivery_seconds)


if __name__ == "__main__":
    main()
