"""Bad news that nobody signed: the worker asks before it is believed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text

from notifications import Message, Recipient, receipts
from notifications.channels.base import Channel
from notifications.channels.provider import Carrier, Unanswered
from notifications.channels.receipt import Claim, Receipt, Told
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import claimed_failures
from telehealth.jobs.work import Work, work
from telehealth.settings import Settings


@dataclass
class Asked:
    """An adapter that can be asked, as far as the job looks at it."""

    told: Told | None
    provider: str = "esms"
    claims: list[Claim] = field(default_factory=list)

    def confirmed(self, claim: Claim) -> Receipt | None:
        self.claims.append(claim)
        if self.told is None:
            raise Unanswered("nobody there")
        return Receipt("esms", f"{claim.ref}:{self.told}", self.told, key=claim.key, ref=claim.ref)


@pytest.fixture
def own_work(settings: Settings, owner_engine: Engine) -> Iterator[Work]:
    mine = work(settings)
    yield mine
    mine.engine.dispose()
    with owner_engine.begin() as connection:
        connection.execute(text("TRUNCATE notifications.notification, notifications.receipt CASCADE"))


def state(mine: Work) -> str:
    with mine.engine.begin() as connection:
        return str(connection.execute(text("SELECT state FROM notifications.notification")).scalar_one())


@pytest.mark.parametrize(
    ("told", "after"), [(Told.UNDELIVERED, "falling_back"), (Told.DELIVERED, "delivered"), (None, "accepted")]
)
def test_a_claim_is_asked_about_until_somebody_answers(own_work: Work, told: Told | None, after: str) -> None:
    now = own_work.clock()
    message = Message(
        kind="turn-near",
        recipient=Recipient(phone="+84912345678"),
        params={"facility": "BV Bà Rịa", "number": "17", "room": "Phòng 12"},
        dedupe_key="claimed",
        not_before=now,
        expires_at=now + timedelta(hours=1),
    )
    with system_unit_of_work(own_work.engine) as session:
        own_work.outbox.enqueue(session, [message], now=now)
        session.execute(text("UPDATE notifications.notification SET state = 'accepted', channel = 'sms'"))
        key = session.execute(text("UPDATE notifications.outbox SET channel = 'sms' RETURNING idem_key"))
        claimed = Receipt("esms", "d533:claimed", Told.CLAIMED, key=key.scalar_one(), ref="d533")
        receipts.apply(session, [claimed], now=now)
    asked = Asked(told)
    mine = replace(own_work, carriers=(Carrier("sms", cast("Channel", cast("Any", asked))),))
    claimed_failures.run(mine, now)
    assert state(mine) == after
    claimed_failures.run(mine, now)
    assert len(asked.claims) == (2 if told is None else 1)
