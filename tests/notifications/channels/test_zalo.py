"""Zalo's template messages: what goes over the wire and what is made of the answers."""

import hmac
import json
from collections.abc import Callable, Iterator

import pytest

from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.provider import Metered, Templated, Unanswered
from notifications.channels.zalo.account import read
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.channels.zalo_chat.channel import ZaloConsultationMessages
from notifications.environment import BadNotificationSettings
from tests.notifications.channels.conftest import KEY
from tests.notifications.channels.local_provider import LocalProvider, Reply

Build = Callable[..., Outgoing]
SENT = {"error": 0, "message": "Success", "data": {"msg_id": "z1", "sent_time": "1700000000000"}}
REAL = {"ZALO_APP_ID": "1", "ZALO_APP_SECRET": "2", "ZALO_OA_SECRET": "3", "ZALO_REFRESH_TOKEN": "4"}


class Tokens:
    """Access tokens, as if from Zalo's OAuth; None when it has to be authorised again."""

    def __init__(self, *tokens: str | None) -> None:
        self._tokens: Iterator[str | None] = iter(tokens)
        self._now = next(self._tokens)

    def current(self) -> str | None:
        return self._now

    def renewed(self, stale: str) -> str | None:
        self._now = next(self._tokens, None)
        return self._now

    def renew_when_due(self) -> None:
        pass


def zalo(provider: LocalProvider, *tokens: str | None, secret: str | None = None) -> ZaloTemplateMessages:
    return ZaloTemplateMessages(
        Tokens(*(tokens or ("first",))),
        provider.url,
        {"appointment-booked.vi": "900001"},
        timeout=0.5,
        proof_secret=secret,
    )


def test_a_message_carries_only_values_and_our_key(provider: LocalProvider, outgoing: Build) -> None:
    provider.will(Reply(body=SENT))
    assert zalo(provider).send(outgoing(provider_template_id=None), KEY) == Accepted(ref="z1")
    (heard,) = provider.heard
    sent = heard.json()
    assert heard.path == "/message/template"
    assert heard.headers["access_token"] == "first"
    assert "appsecret_proof" not in heard.headers
    assert (sent["phone"], sent["template_id"], sent["tracking_id"]) == ("84912345678", "900001", str(KEY))
    assert sent["template_data"]["facility"] == "BV Bà Rịa"


def test_the_id_that_an_operator_has_set_goes_before_that_of_the_settings(
    provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(Reply(body=SENT))
    zalo(provider).send(outgoing(provider_template_id="4711"), KEY)
    assert provider.heard[0].json()["template_id"] == "4711"


def test_a_text_that_zalo_does_not_know_is_not_sent(provider: LocalProvider, outgoing: Build) -> None:
    refused = zalo(provider).send(outgoing("appointment-moved", provider_template_id=None), KEY)
    assert refused == Rejected("unregistered", Scope.TEMPLATE)
    assert provider.heard == []


def test_a_person_with_an_id_at_zalo_is_addressed_by_it(provider: LocalProvider, outgoing: Build) -> None:
    provider.will(Reply(body=SENT))
    zalo(provider).send(outgoing(address="4242424242"), KEY)
    sent = provider.heard[0].json()
    assert sent["user_id"] == "4242424242"
    assert "phone" not in sent


def test_where_the_application_asks_for_it_each_call_proves_its_secret(
    provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(Reply(body=SENT), Reply(body={"error": 0, "data": {"remainingQuota": "7"}}))
    channel = zalo(provider, secret="app-secret")
    channel.send(outgoing(), KEY)
    channel.remaining()
    expected = hmac.new(b"app-secret", b"first", "sha256").hexdigest()
    assert [heard.headers["appsecret_proof"] for heard in provider.heard] == [expected] * 2


def test_the_proof_is_switched_on_by_a_setting() -> None:
    plain, proven = read(REAL), read(REAL | {"ZALO_APPSECRET_PROOF": "1"})
    assert plain is not None
    assert proven is not None
    assert (plain.proven, proven.proven) == (False, True)
    with pytest.raises(BadNotificationSettings, match="ZALO_APPSECRET_PROOF must be 1 or 0"):
        read(REAL | {"ZALO_APPSECRET_PROOF": "yes"})


def test_a_token_that_zalo_refuses_is_renewed_once(provider: LocalProvider, outgoing: Build) -> None:
    provider.will(Reply(body={"error": -124}), Reply(body=SENT))
    assert zalo(provider, "first", "second").send(outgoing(), KEY) == Accepted(ref="z1")
    assert [heard.headers["access_token"] for heard in provider.heard] == ["first", "second"]


@pytest.mark.parametrize(
    ("tokens", "outcome"),
    [
        ((None,), Rejected("no-token", Scope.CONFIG)),
        (("first", None), Rejected("no-token", Scope.CONFIG)),
        (("first", "second"), Rejected("token", Scope.CONFIG)),
    ],
)
def test_without_a_token_that_works_the_provider_rests(
    provider: LocalProvider, outgoing: Build, tokens: tuple[str | None, ...], outcome: Outcome
) -> None:
    provider.will(Reply(body={"error": -124}))
    assert zalo(provider, *tokens).send(outgoing(), KEY) == outcome


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, b"", {"Retry-After": "3"}), Retry("429", after=3.0, crowded=True)),
        (Reply(500, b"<html>"), Ambiguous("HTTP 500")),
        (Reply(200, b"[]"), Ambiguous("HTTP 200")),
        (Reply(cut=True), Ambiguous("ProtocolError")),
        (Reply(stalled=5), Ambiguous("ReadTimeoutError")),
        (Reply(body={"error": -118}), Rejected("-118", Scope.RECIPIENT)),
        (Reply(body={"error": -144}), Rejected("-144", Scope.QUOTA)),
        (Reply(body={"error": -133}), Rejected("-133", Scope.NIGHT)),
        (Reply(body={"error": -32}), Retry("-32", crowded=True)),
        (Reply(body={"error": -100}), Ambiguous("-100")),
    ],
)
def test_every_kind_of_answer_is_judged(
    provider: LocalProvider, outgoing: Build, reply: Reply, outcome: Outcome
) -> None:
    provider.will(reply)
    assert zalo(provider).send(outgoing(), KEY) == outcome
    assert len(provider.heard) == 1


ODD_DATA: list[object] = [None, [], ["z1"], "z1", 7, {}, {"msg_id": None}, {"msg_id": {}}]
ODD_CODES: list[object] = [None, False, [], {}, 0.5, "", [0]]


def by_both_ways(provider: LocalProvider) -> tuple[ZaloTemplateMessages, ZaloConsultationMessages]:
    return zalo(provider), ZaloConsultationMessages(Tokens("first"), provider.url, timeout=0.5)


@pytest.mark.parametrize("way", [0, 1], ids=["template", "chat"])
@pytest.mark.parametrize(
    "data",
    [{"other": 1}, *({"data": odd} for odd in ODD_DATA)],
)
def test_a_message_that_was_taken_without_a_reference_goes_by_our_key(
    provider: LocalProvider, outgoing: Build, way: int, data: dict[str, object]
) -> None:
    provider.will(Reply(body={"error": 0, "message": "Success", **data}))
    assert by_both_ways(provider)[way].send(outgoing(), KEY) == Accepted(ref=f"tracking:{KEY}")


@pytest.mark.parametrize("way", [0, 1], ids=["template", "chat"])
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, [], [{"error": 0}], "error", 0, 1.5, True, None, {}, {"data": {"msg_id": "z1"}}]
    + [{"error": odd} for odd in ODD_CODES],
)
def test_an_answer_of_an_odd_shape_leaves_the_send_in_doubt(
    provider: LocalProvider, outgoing: Build, way: int, body: object
) -> None:
    provider.will(Reply(body=body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert by_both_ways(provider)[way].send(outgoing(), KEY) == Ambiguous("HTTP 200")


def template_page(first: int, count: int, total: int) -> Reply:
    listed = [{"templateId": number, "status": "ENABLE"} for number in range(first, first + count)]
    return Reply(body={"error": 0, "data": listed, "metadata": {"total": total}})


def test_the_states_of_all_templates_are_read_page_by_page(provider: LocalProvider) -> None:
    provider.will(template_page(0, 100, 130), template_page(100, 30, 130))
    channel = zalo(provider)
    assert isinstance(channel, Templated)
    states = channel.template_states()
    assert len(states) == 130
    assert states["129"] == "ENABLE"
    assert [heard.query for heard in provider.heard] == [
        {"offset": "0", "limit": "100"},
        {"offset": "100", "limit": "100"},
    ]


def test_a_list_that_never_ends_is_not_read_for_ever(provider: LocalProvider) -> None:
    provider.will(template_page(0, 100, 100))
    assert len(zalo(provider).template_states()) == 100
    provider.will(Reply(body={"error": 0, "data": []}))
    assert zalo(provider).template_states() == {}


def test_what_is_left_today_is_known(provider: LocalProvider) -> None:
    provider.will(Reply(body={"error": 0, "data": {"dailyQuota": "500", "remainingQuota": "499"}}))
    channel = zalo(provider)
    assert isinstance(channel, Metered)
    assert channel.remaining() == 499


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b""),
        Reply(cut=True),
        Reply(body=[]),
        Reply(body={"error": -101}),
        Reply(body={"error": -124}),
        Reply(body={"error": 0, "data": {}}),
        Reply(body={"error": 0}),
    ],
)
def test_a_question_without_an_answer_says_so(provider: LocalProvider, reply: Reply) -> None:
    provider.will(reply)
    with pytest.raises(Unanswered):
        zalo(provider).remaining()


def test_without_a_token_nothing_is_asked(provider: LocalProvider) -> None:
    with pytest.raises(Unanswered):
        zalo(provider, None).template_states()
    assert provider.heard == []


def test_a_question_renews_the_token_too(provider: LocalProvider) -> None:
    provider.will(Reply(body={"error": -124}), Reply(body={"error": 0, "data": {"remainingQuota": 5}}))
    assert zalo(provider, "first", "second").remaining() == 5
