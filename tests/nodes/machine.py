"""A node on a database of its own, and the centre that it speaks with over a cable."""

import base64
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from telehealth.accounts.models import AccessSession
from telehealth.app import create_app
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.uow import system_unit_of_work
from telehealth.nodes.line import HttpLine
from telehealth.nodes.models import ThisNode
from telehealth.nodes.services import duty
from telehealth.nodes.services.enrolling import become, prepare, token_context
from telehealth.nodes.services.round import Node, run_round
from telehealth.settings import Settings, random_base64
from telehealth.web.context import db
from tests.conftest import Databases, MovableClock
from tests.nodes.cable import Cable
from tests.queueing.hospital import Caller, Hospital


class _Silent(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Have an application answer on a port of this machine."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Machine:
    """The node: its own database and keys, its application, its rounds with the centre."""

    databases: Databases
    hospital: Hospital
    cable: Cable
    clock: MovableClock
    base: Settings
    centre: Engine
    centre_app: Flask
    settings: Settings = field(init=False)
    engine: Engine = field(init=False)
    app: Flask = field(init=False, default=None)
    node: Node = field(init=False)
    id: UUID = field(init=False)

    def enrol(self) -> "Machine":
        """Do what `run.py --node` does at the first start."""
        with system_unit_of_work(self.centre) as session:
            code = duty.announce_node(
                session, self.hospital.admin, self.hospital.id, "Nút sảnh A", now=self.clock(),
                cipher=self.base.cipher,
            )  # fmt: skip
        given = HttpLine(self.cable.url, None).enrol(code, self.hospital.code)
        cipher = FieldCipher.parse(
            f"1:{random_base64(bytes(range(1, 33)))}", random_base64(bytes(range(2, 34)))
        )
        cipher = replace(cipher, given_ticket_key=base64.b64decode(given["ticket_key"]))
        self.settings = replace(
            self.base,
            database_url=self.databases.app_url,
            database_owner_url=self.databases.owner_url,
            database_direct_url=self.databases.app_url,
            cipher=cipher,
            node=True,
            centre_url="https://kham.example.vn",
            var_dir=Path(self.base.var_dir) / "node",
        )
        owner = create_engine(self.databases.owner_url)
        with owner.begin() as connection:
            prepare(connection)
        owner.dispose()
        self.engine = create_engine(self.databases.app_url)
        self.id = UUID(given["id"])
        enrolled = duty.EnrolledNode(
            self.id, UUID(given["facility_id"]), given["facility"], given["name"], given["token"]
        )
        with system_unit_of_work(self.engine) as session:
            become(session, enrolled, self.cable.url, now=self.clock(), cipher=cipher)
        self.start(given["token"])
        return self

    def start(self, token: str | None = None) -> None:
        """Start, or start again: from what the database keeps."""
        self._stop()
        self.app = create_app(self.settings, clock=self.clock)
        self.app.config["TESTING"] = False
        with system_unit_of_work(self.engine) as session:
            here = session.scalars(select(ThisNode)).one()
            opened = self.settings.cipher.open_text(here.token_sealed, token_context(here.node_id))
        self.node = Node(
            self.engine,
            self.settings.cipher,
            HttpLine(self.cable.url, opened),
            self.clock,
            "test",
            fresh=timedelta(),
        )

    def round(self) -> bool:
        return run_round(self.node)

    def rounds(self) -> None:
        """Come to rest: all settled, all fetched."""
        for _ in range(3):
            assert self.round()

    def on_duty(self) -> "Machine":
        self.on_duty_again()
        self._sign_staff_in()
        return self

    def on_duty_again(self) -> None:
        self.rounds()
        with system_unit_of_work(self.centre) as session:
            duty.give_duty(session, self.hospital.admin, self.id, now=self.clock())
        self.rounds()

    def _sign_staff_in(self) -> None:
        with self.begin() as session:
            for token, account_id in (
                (self.hospital.staff_token, self.hospital.account_id),
                (self.hospital.admin_token, self.hospital.admin_id),
            ):
                session.add(
                    AccessSession(
                        token_hash=token_hash(token), kind="bearer", account_id=account_id,
                        created_at=self.clock(), expires_at=self.clock() + timedelta(days=30),
                        last_seen_at=self.clock(),
                    )
                )  # fmt: skip

    def begin(self) -> AbstractContextManager[Session]:
        return system_unit_of_work(self.engine)

    @property
    def day(self) -> Hospital:
        """The same hospital, acting on the node's database."""
        return replace(self.hospital, begin=self.begin, cipher=self.settings.cipher)

    @property
    def kiosk(self) -> Caller:
        return Caller(self.app.test_client(), self.hospital.kiosk_token)

    @property
    def doctor(self) -> Caller:
        return Caller(self.app.test_client(), self.hospital.staff_token)

    def call(self, queue: str = "P001") -> dict[str, Any]:
        """Call whoever is next, by the console of the room."""
        answer = self.doctor.post(f"/api/v1/queues/{self.hospital.queue(queue)}/call-next")
        assert answer.status_code == 200, answer.json
        return dict(answer.json) | {"version": answer.headers["ETag"]}

    def take(self, called: dict[str, Any], *steps: str) -> None:
        """Take steps with somebody who was called."""
        tag = called["version"]
        for step in steps:
            answer = self.doctor.post(f"/api/v1/tickets/{called['id']}/{step}", If_Match=tag)
            assert answer.status_code == 200, answer.json
            tag = answer.headers["ETag"]

    def number(self, queue: str = "P001") -> dict[str, Any]:
        """Take a walk-in's number at the kiosk."""
        answer = self.kiosk.post(f"/api/v1/queues/{self.hospital.queue(queue)}/tickets")
        assert answer.status_code == 201, answer.json
        return dict(answer.json)

    def _stop(self) -> None:
        if self.app is not None:
            with self.app.app_context():
                db.engine.dispose()

    def close(self) -> None:
        self._stop()
        self.engine.dispose()


def rows(engine: Engine, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement, read as the system."""
    with system_unit_of_work(engine) as session:
        return [tuple(row) for row in session.execute(text(sql), parameters)]
