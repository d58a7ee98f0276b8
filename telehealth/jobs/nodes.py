"""On a node: a round with the centre."""

from datetime import datetime

from sqlalchemy import select

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.migrate import head_revision
from telehealth.nodes.line import HttpLine
from telehealth.nodes.models import ThisNode
from telehealth.nodes.services.enrolling import token_context
from telehealth.nodes.services.round import Node, run_round


def run(work: Work, now: datetime) -> None:
    """Settle what was done here, fetch what is new there, and have numbers enough."""
    cipher = work.settings.cipher
    with system_unit_of_work(work.engine) as session:
        here = session.scalars(select(ThisNode)).one_or_none()
        if here is None:
            return
        token = cipher.open_text(here.token_sealed, token_context(here.node_id))
    run_round(
        Node(
            work.engine,
            cipher,
            HttpLine(here.centre_url, token),
            work.clock,
            version=head_revision(),
            address=work.settings.public_base_url,
        )
    )
