"""Which browsers a person gets messages in."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from notifications.subscriptions import MOST_PER_OWNER, Offered, Subscriptions, drop, drop_of_sign_ins
from tests.notifications.hosting import OwnSealer
from tests.notifications.push_service import MadeUpBrowser

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
LAN, HUNG = uuid4(), uuid4()
KEPT = Subscriptions(OwnSealer())


@pytest.fixture
def session(app_engine: Engine, notification_tables: None) -> Iterator[Session]:
    with Session(app_engine) as opened, opened.begin():
        yield opened


def offered(browser: MadeUpBrowser, agent: str | None = None) -> Offered:
    return Offered(browser.endpoint, browser.keys["p256dh"], browser.keys["auth"], user_agent=agent)


def endpoints(session: Session, owner: UUID) -> list[str]:
    return [found.endpoint for found in KEPT.of(session, owner)]


def test_a_person_may_have_several_browsers_the_latest_seen_first(session: Session) -> None:
    phone, tablet = MadeUpBrowser(), MadeUpBrowser()
    first = KEPT.subscribe(session, LAN, offered(phone), now=NOW)
    KEPT.subscribe(session, LAN, offered(tablet), now=NOW + timedelta(minutes=1))
    assert endpoints(session, LAN) == [tablet.endpoint, phone.endpoint]
    again = KEPT.subscribe(session, LAN, offered(phone), now=NOW + timedelta(minutes=2))
    assert endpoints(session, LAN) == [phone.endpoint, tablet.endpoint]
    assert again == first, "the same browser is the same subscription"
    found = KEPT.of(session, LAN)[0]
    assert (found.id, found.p256dh, found.auth) == (first, phone.keys["p256dh"], phone.keys["auth"])


def test_a_shared_phone_shows_the_messages_of_whoever_turned_it_on_last(session: Session) -> None:
    phone = MadeUpBrowser()
    first = KEPT.subscribe(session, LAN, offered(phone), now=NOW)
    second = KEPT.subscribe(session, HUNG, offered(phone), now=NOW + timedelta(days=1))
    assert endpoints(session, LAN) == []
    assert endpoints(session, HUNG) == [phone.endpoint]
    drop(session, [first])
    assert endpoints(session, HUNG) == [phone.endpoint], (
        "an old answer about it takes nothing from the new owner"
    )
    drop(session, [second])
    assert endpoints(session, HUNG) == []


def test_turning_off_takes_only_one_s_own(session: Session) -> None:
    phone = MadeUpBrowser()
    KEPT.subscribe(session, LAN, offered(phone), now=NOW)
    assert not KEPT.unsubscribe(session, HUNG, phone.endpoint)
    assert KEPT.unsubscribe(session, LAN, phone.endpoint)
    assert not KEPT.unsubscribe(session, LAN, phone.endpoint)


def test_with_the_sign_in_goes_what_was_turned_on_in_it(session: Session) -> None:
    phone, tablet, sign_in = MadeUpBrowser(), MadeUpBrowser(), uuid4()
    KEPT.subscribe(session, LAN, offered(phone), sign_in=sign_in, now=NOW)
    KEPT.subscribe(session, LAN, offered(tablet), sign_in=uuid4(), now=NOW)
    drop_of_sign_ins(session, [sign_in])
    drop_of_sign_ins(session, [])
    assert endpoints(session, LAN) == [tablet.endpoint]


def test_the_one_not_seen_for_longest_makes_room(session: Session) -> None:
    browsers = [MadeUpBrowser() for _ in range(MOST_PER_OWNER + 2)]
    for minute, browser in enumerate(browsers):
        KEPT.subscribe(session, LAN, offered(browser), now=NOW + timedelta(minutes=minute))
    assert endpoints(session, LAN) == [browser.endpoint for browser in reversed(browsers[2:])]


def test_the_table_tells_neither_where_nor_how_to_reach_a_browser(session: Session) -> None:
    phone = MadeUpBrowser()
    KEPT.subscribe(session, LAN, offered(phone, "Chrome " * 99), now=NOW)
    row = session.execute(text("SELECT t::text, user_agent FROM notifications.push_subscription t")).one()
    for secret in (phone.endpoint, phone.keys["auth"], phone.keys["p256dh"]):
        assert secret not in row[0]
        assert secret.encode().hex() not in row[0]
    assert len(row.user_agent) == 200


def test_a_value_copied_to_another_browser_s_row_does_not_open(session: Session) -> None:
    KEPT.subscribe(session, LAN, offered(MadeUpBrowser()), now=NOW)
    KEPT.subscribe(session, HUNG, offered(MadeUpBrowser()), now=NOW)
    session.execute(
        text(
            "UPDATE notifications.push_subscription SET sealed ="
            " (SELECT sealed FROM notifications.push_subscription WHERE owner = :lan) WHERE owner = :hung"
        ),
        {"lan": LAN, "hung": HUNG},
    )
    with pytest.raises(InvalidTag):
        KEPT.of(session, HUNG)


def test_a_browser_offered_twice_at_one_moment_is_kept_once(
    app_engine: Engine, notification_tables: None
) -> None:
    phone, start = MadeUpBrowser(), threading.Barrier(4)

    def offer(owner: UUID) -> None:
        with Session(app_engine) as session, session.begin():
            start.wait()
            KEPT.subscribe(session, owner, offered(phone), now=NOW)

    threads = [threading.Thread(target=offer, args=(owner,)) for owner in (LAN, HUNG, LAN, HUNG)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(app_engine) as session:
        assert len(endpoints(session, LAN) + endpoints(session, HUNG)) == 1
