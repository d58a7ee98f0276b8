"""Acts on what people did towards the official account at Zalo: the webhook only takes it down."""

from datetime import datetime

from notifications import zalo_contacts
from notifications.zalo_contacts import Conversation
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work


def run(work: Work, now: datetime) -> None:
    """Act on all of it, some a transaction."""
    page = f"{work.settings.public_base_url}/appointments"
    conversation = Conversation(work.settings.cipher, work.outbox, page)
    more = True
    while more:
        with system_unit_of_work(work.engine) as session:
            more = bool(zalo_contacts.process(session, conversation, now=now))
