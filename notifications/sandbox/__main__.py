"""`python -m notifications.sandbox --port 8001`: the providers of demo and tests, on this machine only."""

import argparse
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from notifications.channels.esms.account import SANDBOX as SANDBOX_ESMS
from notifications.channels.twilio.account import SANDBOX as SANDBOX_TWILIO
from notifications.channels.zalo.account import SANDBOX as SANDBOX_ZALO
from notifications.sandbox import bank, mail
from notifications.sandbox.app import create_app
from notifications.sandbox.callbacks import Callbacks
from notifications.sandbox.desk import Credentials, Desk
from notifications.sandbox.ledger import Ledger
from notifications.sandbox.zalo_oauth import ZaloTokenIssuer

HOST = "127.0.0.1"


class CuttableProtocol(HttpToolsProtocol):
    """Lets a request cut its own connection, as a failing provider does."""

    def connection_made(self, transport: Any) -> None:
        # An answer leaves in two writes, and Nagle's algorithm would hold the second back for 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    uvloop.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    listener = socket.create_server((HOST, arguments.port))
    mail_listener = socket.create_server((HOST, _smtp_port(arguments)))
    desk = _desk(os.environ, arguments)
    app = create_app(desk, _issuer(desk.credentials, arguments.ledger))
    config = uvicorn.Config(
        app, http=CuttableProtocol, log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    mail_server = await mail.listen(desk, mail_listener)
    print(  # noqa: T201
        f"sandbox listens on http://{HOST}:{listener.getsockname()[1]}\n"
        f"and takes mail on smtp://{HOST}:{mail_listener.getsockname()[1]}",
        flush=True,
    )
    await uvicorn.Server(config).serve(sockets=[listener])
    mail_server.close()
    await desk.callbacks.close()
    desk.ledger.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m notifications.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--smtp-port", type=int, help="0 takes a free one; without, --port + 2")
    parser.add_argument(
        "--ledger", type=Path, default=_default_ledger(), help="keep the messages in this file"
    )
    parser.add_argument("--delivery-seconds", type=float, default=1.0)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long providers take to answer")
    return parser.parse_args()


def _smtp_port(arguments: argparse.Namespace) -> int:
    """Beside the HTTP port, and not the next one, where the product's launcher has another program."""
    if arguments.smtp_port is not None:
        return int(arguments.smtp_port)
    return arguments.port + 2 if arguments.port else 0


def _default_ledger() -> Path | None:
    folder = os.environ.get("VAR_DIR")
    return Path(folder) / "sandbox-messages.jsonl" if folder and Path(folder).is_dir() else None


def _desk(environ: Mapping[str, str], arguments: argparse.Namespace) -> Desk:
    given = {name: value for name, value in environ.items() if value}
    values = SANDBOX_TWILIO | SANDBOX_ZALO | SANDBOX_ESMS | given
    public = values.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{values.get('PORT', '8000')}"
    credentials = Credentials(
        twilio_account_sid=values["TWILIO_ACCOUNT_SID"],
        twilio_auth_token=values["TWILIO_AUTH_TOKEN"],
        zalo_app_id=values["ZALO_APP_ID"],
        zalo_app_secret=values["ZALO_APP_SECRET"],
        zalo_oa_secret=values["ZALO_OA_SECRET"],
        zalo_first_refresh_token=values["ZALO_REFRESH_TOKEN"],
        esms_api_key=values["ESMS_API_KEY"],
        esms_secret_key=values["ESMS_SECRET_KEY"],
        esms_brandname=values["ESMS_BRANDNAME"],
    )
    callbacks = Callbacks(
        twilio_auth_token=credentials.twilio_auth_token,
        zalo_oa_secret=credentials.zalo_oa_secret,
        zalo_webhook=public.rstrip("/") + "/webhooks/zalo",
        bank_webhooks=public.rstrip("/") + "/webhooks/payments/sepay",
        bank_secret=bank.SECRET,
    )
    return Desk(
        credentials,
        Ledger(arguments.ledger),
        callbacks,
        delivery_seconds=arguments.delivery_seconds,
        latency=arguments.latency_ms / 1000,
    )


def _issuer(credentials: Credentials, ledger: Path | None) -> ZaloTokenIssuer:
    return ZaloTokenIssuer(
        app_secret=credentials.zalo_app_secret,
        first_refresh_token=credentials.zalo_first_refresh_token,
        used=None if ledger is None else ledger.with_suffix(".used-tokens"),
    )


if __name__ == "__main__":
    main()
