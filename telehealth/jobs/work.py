"""What a job may use."""

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

from notifications import Outbox
from notifications.channels.provider import Carrier, Host
from notifications.settings import NotificationSettings
from telehealth.core.clock import Clock, system_clock
from telehealth.reminders.services import Means
from telehealth.settings import Settings

_POOL_SIZE = 8


@dataclass(frozen=True)
class Work:
    """One per worker process."""

    settings: Settings
    notification_settings: NotificationSettings
    engine: Engine
    outbox: Outbox
    carriers: tuple[Carrier, ...]
    clock: Clock = system_clock

    @property
    def means(self) -> Means:
        """What writing a message takes."""
        return Means(self.settings.cipher, self.outbox, self.settings.answer_links)


def work(settings: Settings, *, clock: Clock = system_clock) -> Work:
    """Connect to what the jobs use."""
    engine = create_engine(
        settings.database_url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        hide_parameters=True,
        connect_args={"options": "-c lock_timeout=2000 -c statement_timeout=30000"},
    )
    notification_settings = NotificationSettings.from_environ(
        settings.environ, sandbox_url=settings.sandbox_url
    )
    return Work(
        settings=settings,
        notification_settings=notification_settings,
        engine=engine,
        outbox=Outbox(settings.cipher),
        carriers=notification_settings.carriers(
            Host(engine, settings.cipher, notification_settings.public_base_url, clock=clock)
        ),
        clock=clock,
    )
