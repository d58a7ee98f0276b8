"""eSMS: no second message under one key, and no bad news on an unsigned word."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from notifications import claims, receipts
from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.esms.account import EsmsAccount
from notifications.channels.esms.channel import EsmsBrandname
from notifications.channels.esms.webhook import CallbackToken
from notifications.channels.provider import Carrier, Confirming, Templated, Unanswered
from notifications.channels.receipt import BadReceipt, Claim, Receipt, Told, Webhook
from notifications.dispatcher import Dispatcher
from tests.notifications.channels.conftest import KEY
from tests.notifications.channels.local_provider import LocalProvider, Reply
from tests.notifications.conftest import World
from tests.notifications.hosting import QUICK

Build = Callable[..., Outgoing]
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
ACCOUNT = EsmsAccount("api", "secret", "SOYTETINH")
OTHER = UUID("0190a2b4-7c00-7000-8000-000000000002")
PUBLIC = "https://kham.example.vn/webhooks/esms"
DONE = {"SendStatus": 5, "SendSuccess": 1, "SendFailed": 0}
FAILED = {"SendStatus": 5, "SendSuccess": 0, "SendFailed": 1}


@pytest.fixture
def esms(provider: LocalProvider) -> EsmsBrandname:
    return EsmsBrandname(
        api_key="api",
        secret_key="secret",
        brandname="SOYTETINH",
        base_url=provider.url,
        public_base_url="https://kham.example.vn/",
        timeout=0.5,
    )


def callback(query: dict[str, Any], token: str | None = None) -> Webhook:
    given = CallbackToken("secret").issue(KEY) if token is None else token
    return Webhook({}, b"", f"{PUBLIC}/{given}?{urlencode(query)}", given)


def test_a_message_goes_out_without_accents_under_our_key(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(Reply(body={"CodeResult": "100", "CountRegenerate": 0, "SMSID": "d533"}))
    assert esms.send(outgoing(), KEY) == Accepted(ref="d533", segments=1)
    (heard,) = provider.heard
    assert heard.path == "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
    sent = heard.json()
    assert sent["Content"].startswith("BV Ba Ria: Da dat lich kham")
    assert {name: sent[name] for name in ("Phone", "IsUnicode", "SmsType", "RequestId", "Brandname")} == {
        "Phone": "0912345678",
        "IsUnicode": "0",
        "SmsType": "2",
        "RequestId": str(KEY),
        "Brandname": "SOYTETINH",
    }
    token = sent["CallbackUrl"].removeprefix(PUBLIC + "/")
    assert CallbackToken("secret").key(token) == KEY


def test_who_asked_for_accents_gets_them_and_they_are_counted(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build
) -> None:
    provider.will(Reply(body={"CodeResult": "100", "SMSID": "d533"}))
    assert esms.send(outgoing(accented=True), KEY) == Accepted(ref="d533", segments=2)
    sent = provider.heard[0].json()
    assert sent["IsUnicode"] == "1"
    assert "Đã đặt lịch khám" in sent["Content"]


@pytest.mark.parametrize(
    ("answer", "ref"), [({"SMSID": "d533"}, "d533"), ({"SendStatus": "5"}, f"request:{KEY}")]
)
def test_a_repeated_key_is_found_and_not_sent_again(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build, answer: dict[str, str], ref: str
) -> None:
    provider.will(Reply(body={"CodeResult": "124", "ErrorMessage": "Request exist 1", **answer}))
    assert esms.send(outgoing(), KEY) == Accepted(ref=ref, segments=1, reconciled=True)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, headers={"Retry-After": "7"}), Retry(code="429", after=7.0, crowded=True)),
        (Reply(body={"CodeResult": "160"}), Retry(code="160", crowded=True)),
        (Reply(500), Ambiguous(reason="HTTP 500")),
        (Reply(body=b"<html>"), Ambiguous(reason="HTTP 200")),
        (Reply(cut=True), Ambiguous(reason="ProtocolError")),
        (Reply(stalled=5), Ambiguous(reason="ReadTimeoutError")),
        (Reply(403, b"forbidden"), Rejected(code="HTTP 403", scope=Scope.CONFIG)),
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/"}), Ambiguous(reason="HTTP 302")),
        (Reply(400, {"error": "Invalid request"}), Rejected(code="HTTP 400", scope=Scope.TEMPLATE)),
        (Reply(body={"error": "Invalid request"}), Rejected(code="HTTP 200", scope=Scope.TEMPLATE)),
        (Reply(400, []), Rejected(code="HTTP 400", scope=Scope.TEMPLATE)),
    ],
)
def test_every_kind_of_answer_is_judged(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build, reply: Reply, outcome: Outcome
) -> None:
    provider.will(reply)
    assert esms.send(outgoing(), KEY) == outcome
    assert len(provider.heard) == 1


ODD_CODES: list[object] = [None, True, [], {}, 1.5, "", ["100"]]


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, [], [{"CodeResult": "100"}], "100", 100, True, None, {}]
    + [{"CodeResult": odd} for odd in ODD_CODES],
)
def test_an_answer_of_an_odd_shape_leaves_the_send_in_doubt(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build, body: object
) -> None:
    provider.will(Reply(body=body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert esms.send(outgoing(), KEY) == Ambiguous("HTTP 200")


@pytest.mark.parametrize("ref", [None, "", [], {}, True])
def test_a_send_without_a_reference_goes_by_our_key(
    esms: EsmsBrandname, provider: LocalProvider, outgoing: Build, ref: object
) -> None:
    provider.will(Reply(body={"CodeResult": 100, "SMSID": ref}))
    assert esms.send(outgoing(), KEY) == Accepted(f"request:{KEY}", 1)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"SendStatus": "5", "SendSuccess": "1", "SendFailed": "0"}, Told.DELIVERED),
        ({"SendStatus": "5", "SendSuccess": "0", "SendFailed": "1"}, Told.CLAIMED),
        ({"SendStatus": "5", "SendSuccess": "1", "SendFailed": "1"}, Told.CLAIMED),
        ({"SendStatus": "5", "SendSuccess": "0", "SendFailed": "0"}, Told.ACCEPTED),
        ({"SendStatus": "4"}, Told.CLAIMED),
        ({"SendStatus": "7"}, Told.ACCEPTED),
        ({"SendStatus": "2"}, Told.ACCEPTED),
    ],
)
def test_a_callback_with_our_token_is_read(fields: dict[str, str], told: Told) -> None:
    query = {"SMSID": "d533", "RequestId": str(KEY), "phonenumber": "0912345678", **fields}
    (receipt,) = ACCOUNT.receipts(callback(query), now=NOW)
    assert (receipt.told, receipt.key, receipt.ref) == (told, KEY, "d533")
    assert "0912345678" not in json.dumps(dict(receipt.raw))


@pytest.mark.parametrize("query", [{}, {"SMSID": "d533"}, {"SMSID": "d533", "SendStatus": "x"}])
def test_a_callback_that_says_nothing_is_no_receipt(query: dict[str, str]) -> None:
    assert ACCOUNT.receipts(callback(query), now=NOW) == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "ă",
        "A" * 43,
        CallbackToken("secret").issue(KEY)[:-4],
        CallbackToken("secret").issue(KEY) + "AAAA",
        CallbackToken("another").issue(KEY),
        CallbackToken("secret").issue(OTHER)[:22] + CallbackToken("secret").issue(KEY)[22:],
    ],
)
def test_a_wrong_or_mixed_token_is_refused(token: str) -> None:
    with pytest.raises(BadReceipt):
        ACCOUNT.receipts(callback({"SMSID": "d533", **DONE}, token), now=NOW)


def test_a_token_serves_only_its_own_message() -> None:
    with pytest.raises(BadReceipt, match="another message"):
        ACCOUNT.receipts(callback({"SMSID": "d533", "RequestId": str(OTHER), **DONE}), now=NOW)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"CodeResponse": "100", **FAILED}, Told.UNDELIVERED),
        ({"CodeResponse": "100", **DONE}, Told.DELIVERED),
        ({"CodeResponse": "100", "SendStatus": 2}, None),
        ({"CodeResponse": "105"}, None),
    ],
)
def test_a_claim_is_confirmed_or_belied_by_the_status_api(
    esms: EsmsBrandname, provider: LocalProvider, answer: dict[str, Any], told: Told | None
) -> None:
    provider.will(Reply(body=answer))
    receipt = esms.confirmed(Claim("esms", KEY, "named", "recorded"))
    assert (receipt.told if receipt else None) is told
    (heard,) = provider.heard
    assert heard.path == "/MainService.svc/json/GetSendStatus"
    assert heard.query == {"RefId": "recorded", "ApiKey": "api", "SecretKey": "secret"}


@pytest.mark.parametrize("recorded", [None, f"request:{KEY}"])
def test_without_a_reference_of_our_own_the_named_one_is_asked_about(
    esms: EsmsBrandname, provider: LocalProvider, recorded: str | None
) -> None:
    provider.will(Reply(body={"CodeResponse": "100", **FAILED}))
    esms.confirmed(Claim("esms", KEY, "named", recorded))
    assert provider.heard[0].query["RefId"] == "named"


@pytest.mark.parametrize(
    "reply", [Reply(body={"CodeResponse": "101"}), Reply(500, b"x"), Reply(cut=True), Reply(body=[])]
)
def test_a_question_without_an_answer_says_so(
    esms: EsmsBrandname, provider: LocalProvider, reply: Reply
) -> None:
    provider.will(reply)
    with pytest.raises(Unanswered):
        esms.confirmed(Claim("esms", KEY, "named", None))


def test_what_esms_lists_is_approved(esms: EsmsBrandname, provider: LocalProvider) -> None:
    listed = [{"NetworkID": 1, "TempContent": "{P1,20} la ma", "TempId": 458}]
    provider.will(Reply(body={"CodeResult": "100", "BrandnameTemplates": listed}))
    assert isinstance(esms, Templated)
    assert isinstance(esms, Confirming)
    assert esms.template_states() == {"458": "APPROVED"}
    provider.will(Reply(body={"CodeResult": "101"}))
    with pytest.raises(Unanswered):
        esms.template_states()


class Slow(EsmsBrandname):
    """Has nothing final to say."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def confirmed(self, claim: Claim) -> Receipt | None:
        self.asked.append(claim.ref)
        return None


def apply_all(world: World, found: list[Receipt]) -> None:
    with Session(world.engine) as session, session.begin():
        receipts.apply(session, found, now=world.now())


def open_claims(world: World, *, days: int = 0) -> list[Claim]:
    with Session(world.engine) as session:
        return claims.unconfirmed(session, ["esms"], now=world.now() + timedelta(days=days))


def sent_by_esms(world: World, esms: EsmsBrandname) -> UUID:
    """A message that went out by eSMS."""
    world.enqueue(world.message("otp", world.new_phone()))
    sender = Dispatcher(
        world.engine, [Carrier("sms", esms)], world.sealer, policy=QUICK, listen_url=world.listen_url
    )
    stop = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    world.until(lambda: world.states() == ["accepted"])
    stop.set()
    thread.join()
    (attempt,) = world.rows("SELECT idem_key FROM notifications.delivery_attempt")
    return UUID(str(attempt.idem_key))


@pytest.mark.parametrize(
    ("answer", "state"), [(FAILED, "falling_back"), (DONE, "delivered"), ({"SendStatus": 2}, "accepted")]
)
def test_bad_news_moves_a_message_only_once_esms_says_it_too(
    world: World, esms: EsmsBrandname, provider: LocalProvider, answer: dict[str, int], state: str
) -> None:
    provider.will(Reply(body={"CodeResult": "100", "SMSID": "recorded"}))
    key = sent_by_esms(world, esms)
    token = CallbackToken("secret").issue(key)
    claimed = ACCOUNT.receipts(callback({"SMSID": "named", **FAILED}, token), now=world.now())
    apply_all(world, list(claimed))
    apply_all(world, list(claimed))
    assert world.states() == ["accepted"]
    assert open_claims(world) == [Claim("esms", key, "named", "recorded")]
    assert open_claims(world, days=2) == []
    carriers = [Carrier("sms", esms)]
    provider.will(Reply(500), Reply(body={"CodeResponse": "100", **answer}))
    assert claims.asked(open_claims(world), carriers) == []
    apply_all(world, claims.asked(open_claims(world), carriers))
    assert world.states() == [state]
    assert bool(open_claims(world)) is (state == "accepted")


def test_claims_that_nobody_can_answer_do_not_keep_the_others_from_being_asked(world: World) -> None:
    world.enqueue(*(world.message("otp", f"+8491{number:07d}") for number in range(120)))
    rows = world.rows("SELECT idem_key FROM notifications.outbox ORDER BY notification_id")
    keys = [UUID(str(row.idem_key)) for row in rows]
    told = [
        Receipt("esms", f"{number}:claimed", Told.CLAIMED, key=key, ref=str(number))
        for number, key in enumerate(keys)
    ]
    apply_all(world, told)
    seen: set[UUID | None] = set()
    for _ in range(60):
        claimed = open_claims(world)
        assert len(claimed) == 50
        seen |= {claim.key for claim in claimed}
    assert seen == set(keys)


def test_who_asks_stops_before_the_next_round_begins() -> None:
    moments = iter([0.0, 0.0, 4.0, 6.0])
    slow = Slow()
    claimed = [Claim("esms", KEY, str(number), None) for number in range(50)]
    assert claims.asked(claimed, [Carrier("sms", slow)], monotonic=lambda: next(moments)) == []
    assert slow.asked == ["0", "1"]


def test_a_claim_about_nobody_is_kept_and_not_asked_about(world: World) -> None:
    token = CallbackToken("secret").issue(OTHER)
    apply_all(world, list(ACCOUNT.receipts(callback({"SMSID": "named", **FAILED}, token), now=NOW)))
    assert world.count("receipt") == 1
    assert open_claims(world) == []
