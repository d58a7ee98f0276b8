"""On the machine that becomes a node: enrolling, and preparing its database."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.nodes.models import ThisNode
from telehealth.nodes.services.duty import EnrolledNode
from telehealth.nodes.slice import JOURNALLED, RUN_BY_THE_CENTRE


def prepare(owner: Connection) -> None:
    """Let this database note what it does, count within blocks, and leave the centre's rules to it.

    Needs the owner of the tables; done again it changes nothing.
    """
    for table in RUN_BY_THE_CENTRE:
        owner.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    for table in JOURNALLED:
        owner.execute(
            text(
                f"CREATE OR REPLACE TRIGGER note_in_journal AFTER INSERT OR UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION note_in_journal()"
            )
        )
    owner.execute(
        text(
            "CREATE OR REPLACE TRIGGER count_within_blocks BEFORE INSERT ON queue_counter"
            " FOR EACH ROW EXECUTE FUNCTION count_within_blocks()"
        )
    )


def become(
    session: Session, enrolled: EnrolledNode, centre_url: str, *, now: datetime, cipher: FieldCipher
) -> None:
    """Write down which node this is. What an earlier enrolment left is settled under the new one.

    The centre counts a new node's batches from 1, and blocks of the earlier one are no longer its own.
    """
    session.execute(text("DELETE FROM node_journal WHERE settled_at IS NOT NULL"))
    session.execute(text("UPDATE node_journal SET batch = NULL WHERE batch IS NOT NULL"))
    session.execute(text("DELETE FROM held_block"))
    sealed = cipher.seal_text(enrolled.token, token_context(enrolled.id))
    session.merge(
        ThisNode(
            only_row=True,
            node_id=enrolled.id,
            facility_id=enrolled.facility_id,
            name=enrolled.name,
            centre_url=centre_url,
            token_sealed=sealed or b"",
            epoch=0,
            on_duty=False,
            heard_at=now,
        )
    )
    session.flush()


def token_context(node_id: UUID) -> str:
    """Return what a node's token is sealed for."""
    return f"this_node.token:{node_id}"
