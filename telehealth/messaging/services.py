"""What operators do with messages and providers; each leaves a row in the trail."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Message, Outbox, Recipient, operations, template_versions
from notifications.alarms import Raised, alarms, settle_alarms
from notifications.dead_letters import Cause, DeadLetter, dead_letters_by_id, dead_letters_of
from notifications.operations import MOST_AT_ONCE
from notifications.settings import NotificationSettings
from notifications.template_versions import ChangedInPlace, Registered, TextKey
from notifications.templates import SOURCES
from notifications.ways import Way, ways_about, ways_to
from notifications.wording import date_text, time_text
from telehealth.audit.services import Entry, record
from telehealth.core.errors import Unprocessable
from telehealth.core.phone import normalise_phone
from telehealth.core.principal import Principal
from telehealth.messaging.errors import (
    MessageOutdated,
    NotDeadAnyMore,
    NothingToLookFor,
    ProviderUnknown,
    ReasonMissing,
    TextUnknown,
)
from telehealth.messaging.queries import read_vitals, stands_of, subject_by_code, whose
from telehealth.messaging.rules import life_of
from telehealth.web.localization import translate

_log = logging.getLogger(__name__)

NEW_LIVES = (1, 4, 24)
PAUSES = (1, 4, 24, 168)
LONGEST_REASON = 200
_ALARM_LIVES = timedelta(hours=6)
_LONGEST_NAME = 44
_TRAILED = 8  # bytes: enough to tell telephones apart


def replay(
    session: Session, principal: Principal, identifier: UUID, *, hours: int | None, now: datetime
) -> None:
    """Send one dead letter again, living `hours` longer if given. Raises NotDeadAnyMore, MessageOutdated."""
    if hours is not None and hours not in NEW_LIVES:
        raise Unprocessable({"hours": ["messaging-hours-odd"]})
    letters = dead_letters_by_id(session, [identifier])
    if not letters:
        raise NotDeadAnyMore
    if not _replay(session, principal, letters, hours, now):
        raise MessageOutdated


def replay_all(session: Session, principal: Principal, cause: Cause, *, now: datetime) -> int:
    """Send all dead letters of one cause again that still make sense; return how many."""
    return _replay(session, principal, dead_letters_of(session, cause, most=MOST_AT_ONCE), None, now)


def _replay(
    session: Session, principal: Principal, letters: Sequence[DeadLetter], hours: int | None, now: datetime
) -> int:
    """Only a letter that is sent alone is given a longer life."""
    subjects = {letter.subject for letter in letters if letter.subject is not None}
    stands = stands_of(session, subjects, now=now)
    lives = {
        letter.id: life_of(letter, stands.get(letter.subject) if letter.subject else None, now, hours)
        for letter in letters
    }
    chosen = [identifier for identifier, until in lives.items() if until is not None]
    until = None if hours is None else next((life for life in lives.values() if life is not None), None)
    revived = operations.replay(session, chosen, now=now, until=until)
    _note(session, principal, "messages.replay", revived, now)
    return len(revived)


def dismiss(session: Session, principal: Principal, ids: Sequence[UUID], *, now: datetime) -> int:
    """Lay dead letters to rest; return how many were still dead."""
    resting = operations.dismiss(session, ids, now=now)
    _note(session, principal, "messages.dismiss", resting, now)
    return len(resting)


def dismiss_all(session: Session, principal: Principal, cause: Cause, *, now: datetime) -> int:
    """Lay all dead letters of one cause to rest; return how many."""
    letters = dead_letters_of(session, cause, most=MOST_AT_ONCE)
    return dismiss(session, principal, [letter.id for letter in letters], now=now)


def _note(session: Session, principal: Principal, action: str, ids: Iterable[UUID], now: datetime) -> None:
    record(session, principal, *(Entry(action, "Communication", each) for each in ids), now=now)


def pause(
    session: Session,
    principal: Principal,
    settings: NotificationSettings,
    provider: str,
    *,
    hours: int,
    reason: str,
    now: datetime,
) -> None:
    """Let a provider rest. Raises ProviderUnknown, ReasonMissing, Unprocessable."""
    why = _checked(settings, provider, reason)
    if hours not in PAUSES:
        raise Unprocessable({"hours": ["messaging-hours-odd"]})
    until = now + timedelta(hours=hours)
    operations.pause(session, provider, until, reason=why, by=_who(principal), now=now)
    _note_provider(session, principal, "messages.pause", provider, now, hours=hours)


def resume(
    session: Session,
    principal: Principal,
    settings: NotificationSettings,
    provider: str,
    *,
    now: datetime,
) -> None:
    """End a provider's rest. Raises ProviderUnknown."""
    _known(settings, provider)
    operations.resume(session, provider, reason="by hand", by=_who(principal), now=now)
    _note_provider(session, principal, "messages.resume", provider, now)


def weigh(
    session: Session,
    principal: Principal,
    settings: NotificationSettings,
    provider: str,
    *,
    weight: int | None,
    reason: str,
    now: datetime,
) -> None:
    """Set a provider's share. Raises ProviderUnknown, ReasonMissing, Unprocessable."""
    why = _checked(settings, provider, reason)
    if weight is None or not 0 <= weight <= 100:
        raise Unprocessable({"weight": ["messaging-weight-odd"]})
    operations.weigh(session, provider, weight, reason=why, by=_who(principal), now=now)
    _note_provider(session, principal, "messages.weight", provider, now, weight=weight)


def _checked(settings: NotificationSettings, provider: str, reason: str) -> str:
    _known(settings, provider)
    why = " ".join(reason.split())[:LONGEST_REASON]
    if not why:
        raise ReasonMissing({"reason": ["error-reason-missing"]})
    return why


def _known(settings: NotificationSettings, provider: str) -> None:
    if provider not in settings.configured:
        raise ProviderUnknown


def _who(principal: Principal) -> UUID:
    if principal.id is None:
        msg = "only a person changes a provider"
        raise LookupError(msg)
    return principal.id


def _note_provider(
    session: Session, principal: Principal, action: str, provider: str, now: datetime, **details: object
) -> None:
    entry = Entry(action, "Endpoint", None, details={"provider": provider, **details})
    record(session, principal, entry, now=now)


def name_text(
    session: Session,
    principal: Principal,
    kind: str,
    language: str,
    channel: str,
    identifier: str,
    *,
    now: datetime,
) -> None:
    """Send a text under this id of the provider from now on. Raises TextUnknown, Unprocessable."""
    known = {(text.kind, text.language, text.channel) for text in template_versions.standings(session)}
    if (kind, language, channel) not in known:
        raise TextUnknown
    if not (identifier.isascii() and identifier.isalnum() and len(identifier) <= 40):
        raise Unprocessable({"identifier": ["messaging-identifier-odd"]})
    template_versions.name(session, kind, language, channel, identifier)
    details = {"kind": kind, "language": language, "channel": channel, "identifier": identifier}
    record(session, principal, Entry("messages.name-text", "Basic", None, details=details), now=now)


def trace(
    session: Session, principal: Principal, outbox: Outbox, typed: str, *, now: datetime
) -> tuple[Way, ...]:
    """Return the ways of the messages to a phone, or about the appointment of a booking code.

    That somebody looked stands in the trail, of each patient whom they are about. Raises NothingToLookFor.
    """
    wanted = typed.strip()
    phone = normalise_phone(wanted)
    if phone is not None:
        return _traced(session, principal, outbox.recipient_index(phone) or b"", now)
    if not wanted or len(wanted) > 40:
        raise NothingToLookFor({"wanted": ["error-nothing-to-look-for"]})
    subject = subject_by_code(session, wanted)
    if subject is None:
        record(
            session, principal, Entry("messages.trace", "Appointment", None, details={"by": "code"}), now=now
        )
        return ()
    entry = Entry("messages.trace", "Appointment", subject.id, subject.patient_id, subject.facility_id)
    record(session, principal, entry, now=now)
    return ways_about(session, subject.id)


def _traced(session: Session, principal: Principal, index: bytes, now: datetime) -> tuple[Way, ...]:
    """Look by a phone's blind index, whose beginning tells in the trail which phone it was."""
    found = ways_to(session, index)
    details = {"by": "phone", "phone": index[:_TRAILED].hex(), "found": len(found)}
    seen = whose(session, {way.subject for way in found if way.subject is not None})
    entries = [
        Entry("messages.trace", "Patient", each.patient_id, each.patient_id, each.facility_id, details)
        for each in seen
    ]
    nobody = Entry("messages.trace", "Communication", None, details=details)
    record(session, principal, *(entries or [nobody]), now=now)
    return found


def sync_texts(session: Session, settings: NotificationSettings, *, now: datetime) -> list[TextKey]:
    """Store new versions of texts and the ids that the settings name; return the new ones.

    Raises ChangedInPlace.
    """
    added = template_versions.sync(session, SOURCES, now=now)
    for configured in settings.configured.values():
        if isinstance(configured.account, Registered):
            template_versions.fill(session, configured.provider.channel, configured.account.template_ids)
    return added


def keep_texts(session: Session, settings: NotificationSettings, *, now: datetime) -> None:
    """Do the same in a worker, where a text changed in place must not stop the messages: it is said aloud."""
    try:
        sync_texts(session, settings, now=now)
    except ChangedInPlace as refusal:
        _log.critical("%s; raise `version` in their files", refusal)


def watch(
    session: Session, outbox: Outbox, settings: NotificationSettings, base_url: str, *, now: datetime
) -> list[Raised]:
    """Open and close alarms by what the figures say now, and tell of the new ones once; return those."""
    fresh = settle_alarms(session, alarms(read_vitals(session, settings, now=now), now), now)
    for each in fresh:
        _log.error("alarm: %s (%s)", each.name, each.subject)
    if fresh:
        outbox.enqueue(session, _alarm_messages(settings, fresh, base_url, now), now=now)
    return fresh


def _alarm_messages(
    settings: NotificationSettings, fresh: Sequence[Raised], base_url: str, now: datetime
) -> Iterable[Message]:
    """One message to each address, however many alarms open at once."""
    channels = {configured.provider.channel for configured in settings.configured.values()}
    recipients = [
        Recipient(phone=settings.alarm_phone) if settings.alarm_phone and "sms" in channels else None,
        Recipient(email=settings.alarm_email) if settings.alarm_email and "email" in channels else None,
    ]
    first = fresh[0]
    for recipient in recipients:
        if recipient is not None:
            by = "email" if recipient.email else "sms"
            yield Message(
                kind="operator-alarm",
                recipient=recipient,
                params={
                    "name": _alarm_words(fresh, recipient.language),
                    "since": f"{time_text(now)} {date_text(now, recipient.language)}",
                    "link": f"{base_url}/admin/messages",
                },
                dedupe_key=f"operator-alarm:{by}:{first.name}:{first.subject}:{now.isoformat()}",
                not_before=now,
                expires_at=now + _ALARM_LIVES,
            )


def _alarm_words(fresh: Sequence[Raised], language: str) -> str:
    first = fresh[0]
    said = translate(language, f"messaging-alarm-short-{first.name}", {"subject": first.subject})
    more = translate(language, "messaging-alarm-more", {"count": len(fresh) - 1}) if len(fresh) > 1 else ""
    return f"{said[: _LONGEST_NAME - len(more)]}{more}"
