"""A released text is kept for ever as it was, and one that its provider has not approved is known."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from sqlalchemy.orm import Session

from notifications import template_versions as versions
from notifications import upkeep
from notifications.channels.provider import Host
from notifications.settings import NotificationSettings
from notifications.template_versions import Approval, ChangedInPlace, TextKey
from notifications.templates import CATALOGUE, SOURCES, Source
from tests.notifications.conftest import World

KIND, LANGUAGE = "appointment-booked", "vi"
RELEASED = CATALOGUE.template(KIND, LANGUAGE).version
KEY = TextKey(KIND, LANGUAGE, "sms", RELEASED)


def texts(**changes: Any) -> list[Source]:
    """The released texts, one of them with other words."""
    return [_changed(source, changes) for source in SOURCES]


def _changed(source: Source, changes: Mapping[str, Any]) -> Source:
    if (source.kind, source.language) != (KIND, LANGUAGE):
        return source
    return Source(source.kind, source.language, {**source.text, **changes})


def sync(world: World, given: list[Source]) -> list[TextKey]:
    with Session(world.engine) as session, session.begin():
        return versions.sync(session, given, now=world.now())


def test_every_text_is_stored_once(world: World) -> None:
    first = sync(world, texts())
    assert KEY in first
    assert TextKey(KIND, LANGUAGE, "zalo", RELEASED) in first
    assert sync(world, texts()) == []
    assert world.count("template") == len(first)


def test_workers_that_start_at_once_store_each_text_once(world: World) -> None:
    threads = [threading.Thread(target=sync, args=(world, texts())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.count("template") == len(list(versions.texts(texts())))


def test_a_released_text_changed_in_place_is_refused_and_nothing_is_stored(world: World) -> None:
    sync(world, texts())
    other = texts(sms="{facility}: Khác {time} {date}, mã {code}. {link}")
    with pytest.raises(ChangedInPlace, match=rf"appointment-booked\.vi\.sms version {RELEASED}") as refusal:
        sync(world, other)
    assert refusal.value.texts == (KEY,)
    with Session(world.engine) as session:
        assert versions.changed(session, other) == (KEY,)
        assert versions.changed(session, texts()) == ()
        assert versions.pinned(session, KIND, LANGUAGE, RELEASED) == CATALOGUE.template(KIND, LANGUAGE)


def test_the_id_at_the_provider_is_no_part_of_the_words(world: World) -> None:
    sync(world, texts())
    zalo = next(source for source in SOURCES if (source.kind, source.language) == (KIND, LANGUAGE)).text[
        "zalo"
    ]
    assert sync(world, texts(zalo={**zalo, "template_id": "777"})) == []


def test_an_older_message_keeps_the_words_it_was_written_with(world: World) -> None:
    sync(world, texts())
    assert KEY not in sync(
        world, texts(version=RELEASED + 1, sms="{facility}: Mới {time} {date}, mã {code}. {link}")
    )
    with Session(world.engine) as session:
        old, new = (versions.pinned(session, KIND, LANGUAGE, version) for version in (RELEASED, RELEASED + 1))
        assert versions.pinned(session, KIND, LANGUAGE, RELEASED + 2) is None
    assert old == CATALOGUE.template(KIND, LANGUAGE)
    assert new is not None
    assert new.sms.startswith("{facility}: Mới")
    states = world.rows(
        "SELECT version, state FROM notifications.template WHERE kind = :kind AND language = 'vi' "
        "AND channel = 'sms' ORDER BY version",
        kind=KIND,
    )
    assert states == [(RELEASED, "retired"), (RELEASED + 1, "approved")]


def test_what_the_provider_says_decides_what_may_be_sent(world: World) -> None:
    sync(world, texts())
    booked = CATALOGUE.template(KIND, LANGUAGE).zalo.template_id
    others = {template.zalo.template_id: "ENABLE" for template in CATALOGUE}
    with Session(world.engine) as session, session.begin():
        assert versions.unsendable(session) == frozenset()
        for word in ("REJECT", "DISABLE", "DELETE", "PENDING_REVIEW"):
            versions.refresh(session, "zalo", {**others, booked: word}, now=world.now())
            assert versions.unsendable(session) == {(KIND, LANGUAGE, "zalo")}
        for word in ("ENABLE", "enable", "registered (Viettel)", "SOMETHING_NEW"):
            versions.refresh(session, "zalo", {**others, booked: word}, now=world.now())
            assert versions.unsendable(session) == frozenset()
        versions.refresh(session, "zalo", {booked: "ENABLE"}, now=world.now())
        found = {
            (text.kind, text.language, text.channel): text.approval for text in versions.standings(session)
        }
    assert found[KIND, LANGUAGE, "zalo"] is Approval.APPROVED
    assert found["otp", "vi", "zalo"] is Approval.UNLISTED
    assert found["otp", "vi", "sms"] is Approval.NONE


def test_words_that_did_not_change_keep_their_approval_in_a_new_version(world: World) -> None:
    sync(world, texts())
    with Session(world.engine) as session, session.begin():
        assert versions.name(session, KIND, LANGUAGE, "zalo", "4711")
        assert not versions.name(session, KIND, LANGUAGE, "zalo", "4711")
        versions.refresh(session, "zalo", {"4711": "ENABLE"}, now=world.now())
    sync(world, texts(version=RELEASED + 1, sms="{facility}: Mới {time} {date}, mã {code}. {link}"))
    with Session(world.engine) as session:
        (text,) = [
            each
            for each in versions.standings(session)
            if (each.kind, each.language, each.channel) == (KIND, LANGUAGE, "zalo")
        ]
        assert (text.version, text.provider_template_id, text.approval) == (
            RELEASED + 1,
            "4711",
            Approval.APPROVED,
        )
        assert versions.registered(session, "zalo")[f"{KIND}.{LANGUAGE}"] == "4711"


def test_an_id_of_the_settings_counts(world: World) -> None:
    sync(world, texts())
    with Session(world.engine) as session, session.begin():
        versions.name_all(session, "zalo", [(f"{KIND}.{LANGUAGE}", "300001")])
        assert versions.registered(session, "zalo")[f"{KIND}.{LANGUAGE}"] == "300001"


def test_a_dispatcher_writes_each_message_in_its_own_version(world: World) -> None:
    sync(world, texts())
    sync(world, texts(version=RELEASED + 1, sms="{facility}: Mới {time} {date}, mã {code}. {link}"))
    written = versions.Texts(world.engine, CATALOGUE)
    newest = CATALOGUE.template(KIND, LANGUAGE)
    assert written.template(KIND, LANGUAGE, RELEASED) is newest
    other = written.template(KIND, LANGUAGE, RELEASED + 1)
    assert other.sms.startswith("{facility}: Mới")
    assert written.template(KIND, LANGUAGE, RELEASED + 1) is other
    assert written.template(KIND, LANGUAGE, 999) is newest


def test_a_dispatcher_sends_under_the_id_that_an_operator_has_set(world: World) -> None:
    sync(world, texts())
    with Session(world.engine) as session, session.begin():
        versions.name(session, KIND, LANGUAGE, "zalo", "4711")
    written = versions.Texts(world.engine, CATALOGUE).template(KIND, LANGUAGE, RELEASED)
    assert written.zalo.template_id == "4711"
    assert written.sms == CATALOGUE.template(KIND, LANGUAGE).sms


def test_providers_are_asked_for_their_approval_and_what_they_still_take(world: World) -> None:
    sync(world, texts())
    carriers = world.settings.carriers(Host(world.engine, world.sealer, world.settings.public_base_url))
    zalo = CATALOGUE.template(KIND, LANGUAGE).zalo.template_id
    switch = f"{world.sandbox.url}/_sandbox/zalo/templates"
    requests.post(switch, json={"template_id": zalo, "status": "REJECT"}, timeout=5).raise_for_status()
    try:
        told = upkeep.ask(carriers)
        with Session(world.engine) as session, session.begin():
            upkeep.keep(session, told, now=world.now())
            assert versions.unsendable(session) == {(KIND, LANGUAGE, "zalo")}
        world.enqueue(world.message(KIND, phone := world.new_phone()))
        world.dispatch_until_empty()
    finally:
        requests.delete(switch, timeout=5).raise_for_status()
    assert [message["provider"] for message in world.sandbox.messages(phone)] == ["twilio"]
    assert ("zalo", "rejected_template") not in world.attempts()
    (zalo_state,) = world.rows("SELECT remaining FROM notifications.provider_state WHERE provider = 'zalo'")
    assert zalo_state.remaining > 0


def test_a_provider_that_does_not_answer_changes_nothing(world: World) -> None:
    sync(world, texts())
    silent = NotificationSettings.from_environ(
        {"PUBLIC_BASE_URL": "http://127.0.0.1:9"}, sandbox_url="http://127.0.0.1:9"
    )
    told = upkeep.ask(silent.carriers(Host(world.engine, world.sealer, "http://127.0.0.1:9", 1.0)))
    assert (told.texts, told.remaining) == ({}, {})
