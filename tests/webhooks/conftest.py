"""A facility whose system listens."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from uuid import UUID

import pytest
from sqlalchemy import Engine

from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import webhooks
from telehealth.jobs.work import Work
from telehealth.settings import Settings
from telehealth.webhooks import services
from telehealth.webhooks.codes import Event
from telehealth.webhooks.rules import Reach
from telehealth.webhooks.services import NewSubscription
from tests.booking.clinic import FACILITIES, Employee, add_employee
from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock, web
from tests.conftest import MovableClock
from tests.webhooks.receiver import Receiver, receiving

__all__ = ["clinic", "desk", "lan", "minh", "set_database_clock", "web"]

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A hospital's system."""
    with receiving() as listening:
        yield listening


@pytest.fixture
def subscribed(
    engine: Engine, clinic: None, settings: Settings, clock: MovableClock, receiver: Receiver
) -> tuple[UUID, str]:
    """The system of 77001 hears of everything: the subscription's id and secret."""
    return subscribe(engine, settings, clock.now, receiver.url)


def subscribe(
    engine: Engine, settings: Settings, now: datetime, url: str, code: str = "77001"
) -> tuple[UUID, str]:
    wanted = NewSubscription(FACILITIES[code], f"HIS {code}", url, [event.value for event in Event])
    with system_unit_of_work(engine) as session:
        return services.subscribe(
            session, SYSTEM, wanted, reach=Reach(LOOPBACK), now=now, cipher=settings.cipher
        )


@pytest.fixture
def tick(engine: Engine, settings: Settings, clock: MovableClock) -> Callable[[], None]:
    """Let the worker do its turn."""
    work = Work(
        settings=replace(settings, webhook_networks=LOOPBACK),
        notification_settings=None,
        engine=engine,
        outbox=None,
        carriers=(),
    )

    def turn() -> None:
        webhooks.fan_out(work, clock.now)
        webhooks.run(work, clock.now)

    return turn


@pytest.fixture
def admin(engine: Engine, clinic: None) -> Employee:
    """The administrator of 77001."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")
