"""A released text is kept for ever as it was, and one that its provider has not approved is known."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy.orm import Session

from notifications import template_versions as versions
from notifications import upkeep
from notifications.channels.provider import Host
from notifications.settings import NotificationSettings
from notifications.template_versions import Approval, ChangedInPlace, TextKey
from notifications.templates import CATALOGUE, SOURCES, Source, Template
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


def known_to_the_sandbox(world: World) -> None:
    """As a worker of the demo does it: the settings of the sandbox name the sandbox's ids."""
    sync(world, texts())
    with Session(world.engine) as session, session.begin():
        versions.fill(session, "zalo", [(f"{t.kind}.{t.language}", t.zalo.template_id) for t in CATALOGUE])


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
        assert versions.pinned(session, KIND, LANGUAGE, RELEASED) == as_stored()


def as_stored() -> Template:
    released = CATALOGUE.template(KIND, LANGUAGE)
    return replace(released, zalo=replace(released.zalo, template_id=""))


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
    assert old == as_stored()
    assert new is not None
    assert new.sms.startswith("{facility}: Mới")
    states = world.rows(
        "SELECT version, state FROM notifications.template WHERE kind = :kind AND language = 'vi' "
        "AND channel = 'sms' ORDER BY version",
        kind=KIND,
    )
    assert states == [(RELEASED, "retired"), (RELEASED + 1, "approved")]


def test_what_the_provider_says_decides_what_may_be_sent(world: World) -> None:
    known_to_the_sandbox(world)
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


def test_an_id_of_the_settings_counts_until_an_operator_sets_another(world: World) -> None:
    sync(world, texts())
    text = TextKey(KIND, LANGUAGE, "zalo", RELEASED)
    with Session(world.engine) as session, session.begin():
        assert text not in versions.register(session.connection()).ids
        versions.fill(session, "zalo", [(f"{KIND}.{LANGUAGE}", "300001")])
        assert versions.register(session.connection()).ids[text] == "300001"
        versions.name(session, KIND, LANGUAGE, "zalo", "4711")
        versions.fill(session, "zalo", [(f"{KIND}.{LANGUAGE}", "300001")])
        assert versions.register(session.connection()).ids[text] == "4711"


def test_an_older_version_with_the_same_words_goes_by_the_same_id(world: World) -> None:
    sync(world, texts())
    sync(world, texts(version=RELEASED + 1, sms="{facility}: Mới {time} {date}, mã {code}. {link}"))
    with Session(world.engine) as session, session.begin():
        versions.name(session, KIND, LANGUAGE, "zalo", "4711")
        ids = versions.register(session.connection()).ids
    assert [ids[TextKey(KIND, LANGUAGE, "zalo", RELEASED + step)] for step in (0, 1)] == ["4711", "4711"]


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


def without_ids(world: World) -> World:
    """As a production is before Zalo has approved anything."""
    environ = {"PUBLIC_BASE_URL": world.settings.public_base_url, "ZALO_APP_ID": str(uuid4())}
    bare = NotificationSettings.from_environ(
        environ | {"ZALO_TEMPLATE_IDS": ""}, sandbox_url=world.sandbox.url
    )
    return replace(world, settings=bare)


def test_a_text_without_an_id_is_not_tried_at_zalo_until_an_operator_sets_one(world: World) -> None:
    sync(world, texts())
    bare = without_ids(world)
    bare.enqueue(bare.message(KIND, phone := bare.new_phone()))
    bare.dispatch_until_empty()
    assert [message["provider"] for message in bare.sandbox.messages(phone)] == ["twilio"]
    assert "zalo" not in {row.provider for row in bare.rows("SELECT provider FROM notifications.spending")}
    assert ("zalo", "rejected_template") not in bare.attempts()
    with Session(world.engine) as session, session.begin():
        known_as = CATALOGUE.template(KIND, LANGUAGE).zalo.template_id
        versions.name(session, KIND, LANGUAGE, "zalo", known_as)
    bare.enqueue(bare.message(KIND, phone := bare.new_phone()))
    bare.dispatch_until_empty()
    assert [message["provider"] for message in bare.sandbox.messages(phone)] == ["zalo"]


def test_what_an_operator_has_set_goes_before_the_settings(world: World) -> None:
    sync(world, texts())
    with Session(world.engine) as session, session.begin():
        versions.name(session, KIND, LANGUAGE, "zalo", "4711")
    world.enqueue(world.message(KIND, world.new_phone()))
    world.dispatch_until_empty()
    assert ("zalo", "rejected_template") in world.attempts()


OLDER = RELEASED + 1


def pin(world: World, phone: str, version: int) -> None:
    """A message that a worker of another release has written."""
    world.enqueue(world.message(KIND, phone))
    world.run("UPDATE notifications.notification SET template_version = :version", version=version)


def test_a_message_is_said_in_the_words_of_the_version_that_it_pinned(world: World) -> None:
    sync(world, texts())
    sync(world, texts(version=OLDER, sms="{facility}: Mới {time} {date}, mã {code}. {link}"))
    pin(world, phone := world.new_phone(zalo=False), OLDER)
    world.dispatch_until_empty()
    (sent,) = world.sandbox.messages(phone)
    assert "Moi" in sent["text"]


def test_approval_is_asked_of_the_version_that_is_sent(world: World) -> None:
    known_to_the_sandbox(world)
    released = CATALOGUE.template(KIND, LANGUAGE).zalo
    zalo = {"title": released.title, "paragraphs": list(released.paragraphs), "rows": list(released.rows)}
    sync(world, texts(version=OLDER, zalo=zalo))
    with Session(world.engine) as session, session.begin():
        versions.name(session, KIND, LANGUAGE, "zalo", "4711")
        versions.refresh(session, "zalo", {"4711": "REJECT", released.template_id: "ENABLE"}, now=world.now())
    pin(world, other := world.new_phone(), OLDER)
    world.enqueue(world.message(KIND, phone := world.new_phone()))
    world.dispatch_until_empty()
    assert [message["provider"] for message in world.sandbox.messages(other)] == ["twilio"]
    assert [message["provider"] for message in world.sandbox.messages(phone)] == ["zalo"]


def test_a_text_that_wants_what_the_message_does_not_have_ends_it(world: World) -> None:
    sync(world, texts(version=OLDER, sms="{facility}: {doctor} chờ lúc {time} {date}, mã {code}. {link}"))
    pin(world, world.new_phone(), OLDER)
    world.dispatch_until_empty()
    assert (world.states(), world.attempts()) == (["dead"], [("zalo", "template")])


def test_a_kind_that_is_no_more_ends_its_message(world: World) -> None:
    world.enqueue(world.message(KIND, world.new_phone()))
    world.run("UPDATE notifications.notification SET kind = 'horoscope'")
    world.dispatch_until_empty()
    assert (world.states(), world.attempts()) == (["dead"], [("zalo", "template")])


def test_providers_are_asked_for_their_approval_and_what_they_still_take(world: World) -> None:
    known_to_the_sandbox(world)
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
