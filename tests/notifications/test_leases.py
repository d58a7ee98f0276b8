"""A lease belongs to one claim, and what is known of a send is recorded once."""

from sqlalchemy.orm import Session

from notifications import receipts
from notifications.channels.receipt import Receipt, Told
from notifications.leases import Leased, Leases, Result
from notifications.states import State
from tests.notifications.conftest import World

ROOM = {"sms": 5}
CARRIED = {"sms": ["twilio"] * 5}


def leases(world: World, seconds: float) -> Leases:
    return Leases(world.engine, "one dispatcher", seconds=seconds, clock="clock_timestamp()")


def accepted(item: Leased, ref: str) -> Result:
    return Result(
        id=item.id,
        attempt=item.attempt,
        state=State.ACCEPTED,
        channel="sms",
        provider="twilio",
        outcome="accepted",
        ref=ref,
        vnd=1900,
    )


def test_a_result_of_an_older_lease_is_not_taken_for_the_present_one(world: World) -> None:
    world.enqueue(world.message("otp", world.new_phone()))
    mine = leases(world, seconds=0)
    (slow,) = mine.claim(5, ROOM, CARRIED)
    (again,) = mine.claim(5, ROOM, CARRIED)
    mine.finish([accepted(slow, "SM-slow")])
    assert (world.count("outbox"), world.attempts()) == (1, [])
    mine.release([slow])
    assert (
        world.rows("SELECT attempt FROM notifications.outbox WHERE lease_owner IS NOT NULL")[0].attempt == 2
    )
    mine.finish([accepted(again, "SM-again")])
    assert (world.count("outbox"), world.attempts()) == (0, [("sms", "accepted")])


def test_a_receipt_that_overtakes_the_record_does_not_keep_the_message_waiting(world: World) -> None:
    world.enqueue(world.message("otp", world.new_phone()))
    mine = leases(world, seconds=60)
    (item,) = mine.claim(5, ROOM, CARRIED)
    early = Receipt("twilio", "SM1:sent", Told.ACCEPTED, key=item.idem_key, ref="SM1")
    with Session(world.engine) as session, session.begin():
        receipts.apply(session, [early], now=world.now())
    mine.finish([accepted(item, "SM1")])
    assert (world.count("outbox"), world.states()) == (0, ["accepted"])
    assert [row.vnd for row in world.rows("SELECT vnd FROM notifications.spending")] == [1900]
