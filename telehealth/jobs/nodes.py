"""On a node: a round with the centre."""

from datetime import datetime

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs.work import Work
from telehealth.migrate import head_revision
from telehealth.nodes.line import HttpLine
from telehealth.nodes.services.round import Node, run_round


def run(work: Work, now: datetime) -> None:
    """Settle what was done here, fetch what is new there, and have numbers enough."""
    cipher = work.settings.cipher
    with system_unit_of_work(work.engine) as session:
        line = HttpLine.of_this_node(session, cipher)
    if line is None:
        return
    run_round(
        Node(
            work.engine,
            cipher,
            line,
            work.clock,
            version=head_revision(),
            address=work.settings.public_base_url,
        )
    )
