"""One leased message: what stops it, by which channel it goes, what its provider said, and what follows."""

import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from notifications import policy as rules
from notifications import sealing, zalo_contacts
from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.provider import Carrier
from notifications.copies import Copies
from notifications.fleet import Fleet, Situation
from notifications.kinds import KINDS, Kind, Priority
from notifications.leases import Leased, Leases, Result
from notifications.monotonic import monotonic
from notifications.outbox import Recipient, opened
from notifications.policy import Policy, Sendable, Verdict
from notifications.preferences import wishes
from notifications.sealing import Sealer
from notifications.states import State
from notifications.template_versions import TextKey, Texts
from notifications.templates import Template

_log = logging.getLogger(__name__)

_AS_IT_WAS = frozenset(
    {
        State.QUEUED,
        State.HELD,
        State.FALLING_BACK,
        State.DEAD,
        State.EXPIRED,
        State.CANCELLED,
        State.SUPPRESSED,
    }
)


class Fenced(Exception):
    """Too late on this lease: another dispatcher may have it by now."""


class Unwritable(Exception):
    """A message whose text is not there, or wants a value that the message does not have."""


class Delivery:
    """Safe in many threads. Never opens a transaction around a send."""

    def __init__(
        self,
        leases: Leases,
        fleet: Fleet,
        copies: Copies,
        sealer: Sealer,
        texts: Texts,
        policy: Policy,
    ) -> None:
        self._leases = leases
        self._fleet = fleet
        self._copies = copies
        self._sealer = sealer
        self._texts = texts
        self._policy = policy

    def deliver(self, item: Leased, deadline: float) -> Result:
        """Take one message one step on. Nothing is sent after `deadline` (monotonic): raises Fenced."""
        settled = _settled(item) if item.state == State.SENDING else None
        if settled is not None:
            return settled
        try:
            return self._step(item, deadline)
        except Unwritable as fault:
            _log.error("%s %s cannot be written: %s", item.kind, item.id, fault)
            return _result(item, item.channel, "", "template", Verdict(State.DEAD))

    def _step(self, item: Leased, deadline: float) -> Result:
        if item.kind not in KINDS:
            raise Unwritable("there is no such kind any more")
        recipient = self._recipient(item)
        if item.state != State.SENDING:
            return self._overtaken(item, recipient)
        if item.in_doubt:
            return self._resolve(item, recipient, deadline)
        return self._send(item, recipient, deadline)

    def _overtaken(self, item: Leased, recipient: Recipient) -> Result:
        """A receipt spoke while the sender died: what is left to do after an acceptance is still done."""
        verdict = Verdict(State(item.state))
        if item.state == State.ACCEPTED:
            verdict = rules.accepted(self._policy, self._sendable(item, recipient, None))
        return _result(item, item.channel, "", "settled", verdict)

    def _recipient(self, item: Leased) -> Recipient:
        """Who has linked their phone in Zalo is found there by their id; a code goes to the phone itself."""
        known = opened(self._sealer, item.recipient, sealing.RECIPIENT, item.id)
        if item.zalo_person is not None and KINDS[item.kind].priority > Priority.OTP:
            known["zalo_uid"] = zalo_contacts.person(self._sealer, *item.zalo_person)
        return Recipient(**known, owner=item.owner)

    def _send(self, item: Leased, recipient: Recipient, deadline: float) -> Result:
        kind = KINDS[item.kind]
        stop = rules.gate(
            self._policy,
            kind,
            item.channel,
            now=item.now,
            expires_at=item.expires_at,
            sent_today=item.sent_today,
        )
        if stop is not None:
            return _result(item, item.channel, "", stop.reason, stop.verdict)
        situation = self._fleet.situation
        name = self._route(item, recipient, situation.usable)
        wait = _wait(kind, item, situation, name)
        if wait is not None:
            return _result(item, item.channel, "", "resting", Verdict(State.QUEUED, item.channel, delay=wait))
        if name is None:
            return self._nowhere(item, recipient)
        carrier = self._fleet.carrier(item.provider)
        if name != item.channel or carrier is None or carrier.channel != name:
            # Written down before it is sent there: after a crash it must be known where to ask.
            onward = Verdict(State.FALLING_BACK, name, switched=True, fallback=item.fallback)
            return _result(item, item.channel, "", "rerouted", onward)
        self._copies.make(item)
        return self._sent(item, recipient, carrier, deadline)

    def _sent(self, item: Leased, recipient: Recipient, carrier: Carrier, deadline: float) -> Result:
        outgoing = self._outgoing(item, recipient, carrier)
        started = monotonic()
        if started > deadline:
            raise Fenced
        outcome = carrier.adapter.send(outgoing, item.idem_key)
        return self._judged(item, recipient, carrier, outcome, monotonic() - started)

    def _resolve(self, item: Leased, recipient: Recipient, deadline: float) -> Result:
        """An earlier send may have happened: find out before sending again."""
        carrier = self._fleet.carrier(item.provider)
        if carrier is None:
            undecided = rules.undecided(self._policy, self._sendable(item, recipient, None))
            return _result(item, item.channel, "", "provider_gone", undecided)
        if not self._policy.reconcile or carrier.adapter.capabilities.idempotent:
            return self._repeat(item, recipient, carrier, deadline)
        sendable = self._sendable(item, recipient, carrier)
        if not carrier.adapter.capabilities.lookup:
            if item.orphaned:
                return self._held_back(item, sendable, carrier)
            return _result(item, item.channel, "", "undecided", rules.undecided(self._policy, sendable))
        started = monotonic()
        if started > deadline:
            raise Fenced
        others = self._leases.others(item, carrier.provider)
        found = carrier.adapter.lookup(
            self._outgoing(item, recipient, carrier),
            item.idem_key,
            item.since,
            others.taken,
            others.rivals,
        )
        if found is None:
            return (
                self._held_back(item, sendable, carrier)
                if item.orphaned
                else self._repeat(item, recipient, carrier, deadline)
            )
        if isinstance(found, Ambiguous) and found.answered:
            return self._held_back(item, sendable, carrier, "shared")
        if not isinstance(found, Accepted):
            found = Ambiguous(reason="lookup failed")
        return self._judged(item, recipient, carrier, found, monotonic() - started)

    def _held_back(
        self, item: Leased, sendable: Sendable, carrier: Carrier, reason: str = "orphaned"
    ) -> Result:
        """Its sender died, perhaps with the request on its way, or what was found may be another message: as
        long as after any lost answer."""
        lost = Ambiguous(reason=reason)
        verdict = rules.decide(self._policy, sendable, lost, carrier.adapter.capabilities)
        return _result(item, item.channel, "", reason, verdict)

    def _repeat(self, item: Leased, recipient: Recipient, carrier: Carrier, deadline: float) -> Result:
        """Send it again by the same provider under the same key: it was not sent, or the copy is dropped."""
        kind = KINDS[item.kind]
        asleep = rules.sleeps(self._policy, kind, item.channel, now=item.now, expires_at=item.expires_at)
        if asleep is not None:
            waiting = replace(asleep, in_doubt=asleep.next_channel is not None)
            return _result(item, item.channel, "", "night", waiting)
        return self._sent(item, recipient, carrier, deadline)

    def _route(self, item: Leased, recipient: Recipient, usable: Collection[str]) -> str | None:
        """The first channel that is open for this message; what must be told is told whatever was wished."""
        kind = KINDS[item.kind]
        closed = self._closed(item, kind)
        wished = wishes(item.muted, item.accented)
        unwanted = {name for name in (item.channel, *kind.channels) if not wished.allow(kind, name)}
        name = rules.route(kind, recipient, item.channel, usable=usable, unreachable=closed | unwanted)
        if name is None and not kind.mutable and item.copy_of is None:
            return rules.route(kind, recipient, item.channel, usable=usable, unreachable=closed)
        return name

    def _closed(self, item: Leased, kind: Kind) -> set[str]:
        situation = self._fleet.situation
        closed = set(item.unreachable)
        if situation.over_budget and kind.mutable:
            closed |= situation.paid
        return closed | {
            channel for channel in {item.channel, *kind.channels} if not situation.takes(_text(item, channel))
        }

    def _nowhere(self, item: Leased, recipient: Recipient) -> Result:
        """No channel is open: wait if one only rests, give up if none ever leads there."""
        kind = KINDS[item.kind]
        served = {name for name in (item.channel, *kind.channels) if self._fleet.serves(name)}
        name = self._route(item, recipient, served)
        if name is not None:
            rest = min(self._fleet.situation.rests.get(each, 0.0) for each in served)
            return _result(item, item.channel, "", "paused", rules.paused(kind, item.channel, rest))
        if (kind.mutable or item.copy_of) and (item.muted or self._fleet.situation.over_budget):
            reason = "muted" if item.muted else "budget"
            return _result(item, item.channel, "", reason, Verdict(State.SUPPRESSED))
        return _result(item, item.channel, "", "no_channel", Verdict(State.DEAD))

    def _judged(
        self, item: Leased, recipient: Recipient, carrier: Carrier, outcome: Outcome, seconds: float
    ) -> Result:
        self._fleet.judge(carrier, outcome, seconds, item.now)
        sendable = self._sendable(item, recipient, carrier)
        verdict = rules.decide(self._policy, sendable, outcome, carrier.adapter.capabilities)
        if verdict.pause is not None:
            self._fleet.pause(carrier.provider, verdict.pause)
        self._remember(item, carrier, outcome)
        slow = seconds > self._policy.slow
        return _result(item, carrier.channel, carrier, outcome, verdict, seconds, slow=slow)

    def _remember(self, item: Leased, carrier: Carrier, outcome: Outcome) -> None:
        """Which browsers are gone, and which phones a channel does not reach."""
        if isinstance(outcome, Accepted | Rejected):
            self._copies.forget(outcome.gone)
        if not isinstance(outcome, Rejected) or carrier.adapter.capabilities.browsers:
            return
        if outcome.scope is Scope.RECIPIENT:
            self._leases.mark_unreachable(item, carrier.channel, outcome.code, self._policy.unreachable)

    def _outgoing(self, item: Leased, recipient: Recipient, carrier: Carrier) -> Outgoing:
        address = recipient.address(carrier.channel)
        if address is None:
            raise LookupError(f"no address for {carrier.channel}")
        template, params = self._written(item)
        return Outgoing(
            address=address,
            template=template,
            params=params,
            now=item.now,
            expires_at=item.expires_at,
            accented=item.accented,
            unsubscribe_url=recipient.mute_url if KINDS[item.kind].mutable else None,
            subscriptions=(
                self._copies.browsers(item.owner) if carrier.adapter.capabilities.browsers else ()
            ),
            provider_template_id=self._fleet.situation.known_as(_text(item, carrier.channel)),
        )

    def _written(self, item: Leased) -> tuple[Template, Mapping[str, str]]:
        """The words of the version that the message was written with, and its values. Raises Unwritable."""
        try:
            template = self._texts.template(item.kind, item.language, item.template_version)
        except KeyError:
            raise Unwritable(f"no text in {item.language}") from None
        params = opened(self._sealer, item.params, sealing.PARAMS, item.id)
        if missing := template.names - params.keys():
            raise Unwritable(f"version {template.version} wants {', '.join(sorted(missing))}")
        return template, params

    def _sendable(self, item: Leased, recipient: Recipient, carrier: Carrier | None) -> Sendable:
        others = carrier is not None and self._fleet.has_another(carrier)
        return Sendable(
            KINDS[item.kind], recipient, item.channel, item.tries + 1, item.now, others, item.in_doubt
        )


def _text(item: Leased, channel: str) -> TextKey:
    return TextKey(item.kind, item.language, channel, item.template_version)


def _wait(kind: Kind, item: Leased, situation: Situation, name: str | None) -> float | None:
    """Seconds to wait for a channel that only takes breath, when the message has that time; else None."""
    rest = situation.rests.get(item.channel)
    if (
        rest is None
        or item.channel not in situation.resting
        or name == item.channel
        or kind.priority <= Priority.URGENT
    ):
        return None
    return rest if item.now + timedelta(seconds=rest) < item.expires_at else None


def _settled(item: Leased) -> Result | None:
    """What needs no sending any more."""
    if item.cancelled:
        return _result(item, item.channel, "", "cancelled", Verdict(State.CANCELLED))
    if item.expires_at <= item.now:
        return _result(item, item.channel, "", "expired", Verdict(State.EXPIRED))
    return None


def _result(
    item: Leased,
    channel: str,
    carrier: Carrier | str,
    outcome: Outcome | str,
    verdict: Verdict,
    seconds: float = 0.0,
    *,
    slow: bool = False,
) -> Result:
    name, code, ref, segments = _described(outcome)
    return Result(
        id=item.id,
        attempt=item.attempt,
        state=_state(item, verdict),
        channel=channel,
        provider=carrier.provider if isinstance(carrier, Carrier) else carrier,
        outcome=name,
        code=code,
        ref=ref,
        segments=segments,
        vnd=_cost(carrier, outcome),
        latency_ms=round(seconds * 1000),
        slow=slow,
        next_channel=verdict.next_channel,
        delay=verdict.delay,
        in_doubt=verdict.in_doubt,
        next_key=_fresh_key() if verdict.switched else None,
        fallback=verdict.fallback or (item.fallback and verdict.state is not State.ACCEPTED),
    )


def _state(item: Leased, verdict: Verdict) -> State:
    """A fall-back that waits or fails leaves an accepted message accepted; a failed copy is no worry."""
    if item.fallback and verdict.state in _AS_IT_WAS:
        return State.ACCEPTED
    if item.copy_of is not None and verdict.state is State.DEAD:
        return State.SUPPRESSED
    return verdict.state


def _cost(carrier: Carrier | str, outcome: Outcome | str) -> int | None:
    """VND, for what a provider has accepted."""
    if isinstance(carrier, Carrier) and isinstance(outcome, Accepted):
        return carrier.tariff.cost(outcome.segments)
    return None


def _described(outcome: Outcome | str) -> tuple[str, str | None, str | None, int | None]:
    match outcome:
        case Accepted(ref=ref, segments=segments, reconciled=reconciled):
            return ("reconciled" if reconciled else "accepted"), None, ref, segments
        case Rejected(code=code, scope=scope):
            return f"rejected_{scope}", code, None, None
        case Retry(code=code):
            return "retry", code, None, None
        case Ambiguous(reason=reason):
            return "ambiguous", reason, None, None
        case str(name):
            return name, None, None, None


def _fresh_key() -> UUID:
    return UUID(bytes=secrets.token_bytes(16), version=4)
