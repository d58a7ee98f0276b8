"""eSMS.vn's SMS service: a RequestId that was seen in the last 24 hours is not sent again.

Fields and codes as its public documentation has them (developers.esms.vn): the send by JSON, the state of a
message and of its receivers, the list of registered templates, and unsigned GET callbacks.
"""

import asyncio
import json
import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.desk import Desk, instant, reference, stamped
from notifications.sandbox.faults import Course, Fault, Planned
from notifications.sandbox.ledger import Entry, phone_number
from notifications.templates.segments import measure

_SERVICE = "/MainService.svc/json/"
_LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_DEDUPED_FOR = timedelta(hours=24)
_LONGEST_REQUEST_ID = 50
_PRICE = 850
_MOBILE = re.compile(r"\+84[35789]\d{8}")
_NETWORKS = (
    (1, "Viettel", re.compile(r"\+84(3[2-9]|86|9[678])")),
    (2, "Mobifone", re.compile(r"\+84(7[06-9]|89|9[03])")),
    (3, "Vinaphone", re.compile(r"\+84(8[1-58]|9[14])")),
    (4, "Vietnamobile", re.compile(r"\+84(5[268]|92)")),
    (5, "Gmobile", re.compile(r"\+84[59]9")),
    (6, "Itel", re.compile(r"\+8487")),
    (7, "Reddi", re.compile(r"\+8455")),
)
_TEXTS = {
    99: "Invalid request",
    101: "Authorize Failed",
    103: "Not enough balance",
    104: "Brand name code is not exist",
    108: "Invalid phone",
    110: "Invalid data",
    118: "Unsupported message type",
    124: "Request exist 1",
    146: "Sai template Brandname CSKH",
    160: "Too many requests",
}
_CODES = {
    Fault.REJECT: Refusal(200, 99),
    Fault.QUOTA: Refusal(200, 103),
    Fault.TOKEN_EXPIRED: Refusal(200, 101),
}
# SendStatus: 2 waits to be sent, 4 rejected, 5 done, 7 sent and waiting for the network's report.
_STATES = {"scheduled": 2, "accepted": 7, "rejected": 4, "delivered": 5, "undelivered": 5}


def routes(desk: Desk) -> list[Route]:
    service = EsmsService(desk)
    return [
        Route(_SERVICE + "SendMultipleMessage_V4_post_json/", service.send, methods=["POST"]),
        Route(_SERVICE + "GetSendStatus", service.state, methods=["GET"]),
        Route(_SERVICE + "GetSmsReceiverStatus_get", service.receivers, methods=["GET"]),
        Route(_SERVICE + "GetTemplate/", service.registered, methods=["POST"]),
        Route("/_sandbox/esms/templates", service.register, methods=["POST"]),
    ]


class EsmsService:
    """`templates`: the registered texts; while there are none, every text passes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._templates: list[str] = []

    async def send(self, request: Request) -> Response:
        desk = self._desk
        try:
            body = {name: str(value) for name, value in json.loads(await request.body()).items()}
            to = phone_number(body.get("Phone", ""))
        except (ValueError, AttributeError):
            return _refusal(Refusal(200, 99))
        code = _objection(desk, body, to) or _wrong_template(self._templates, body)
        if code is not None:
            return _refusal(Refusal(200, code))
        planned = desk.faults.take("esms", to)
        sending = Sending[Response](
            accept=lambda late: _accept(desk, to, body, planned, late),
            refuse=_refusal,
            cut=Dropped,
            codes=_CODES,
        )
        return await desk.answer(sending, planned)

    async def state(self, request: Request) -> Response:
        """GetSendStatus?RefId&ApiKey&SecretKey."""
        ref = request.query_params.get("RefId", "")
        code, entry = _asked(self._desk, request)
        if entry is None:
            return JSONResponse({"CodeResponse": str(code), "SMSID": ref})
        return JSONResponse({"CodeResponse": "100", "SMSID": ref, **_result(entry)})

    async def receivers(self, request: Request) -> Response:
        """GetSmsReceiverStatus_get?RefId&ApiKey&SecretKey."""
        code, entry = _asked(self._desk, request)
        if entry is None:
            return _refusal(Refusal(200, code))
        receiver = {
            "IsSent": entry.status != "scheduled",
            "NetworkName": _network(entry.to)[1],
            "Phone": _national(entry.to),
            "Retry": 0,
            "SentResult": entry.status == "delivered",
        }
        return JSONResponse({"CodeResult": "100", "ReceiverList": [receiver]})

    async def registered(self, request: Request) -> Response:
        """GetTemplate: {ApiKey, SecretKey, SmsType, Brandname}."""
        try:
            body = dict(json.loads(await request.body()))
        except (ValueError, TypeError):
            return _refusal(Refusal(200, 99))
        if not _known(self._desk, body):
            return _refusal(Refusal(200, 101))
        listed = [
            {"NetworkID": network, "TempContent": text, "TempId": 100 * number + network}
            for number, text in enumerate(self._templates, start=1)
            for network, _, _ in _NETWORKS
        ]
        return JSONResponse({"BrandnameTemplates": listed, "CodeResult": "100", "ErrorMessage": "success"})

    async def register(self, request: Request) -> Response:
        """POST {templates: ["{P2,50}: lich kham {P1,10}"]}: only these pass from now on; [] lets all."""
        try:
            self._templates = [str(text) for text in json.loads(await request.body())["templates"]]
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        return Response(status_code=204)


def _known(desk: Desk, values: dict[str, Any]) -> bool:
    own = desk.credentials
    return (values.get("ApiKey"), values.get("SecretKey")) == (own.esms_api_key, own.esms_secret_key)


def _objection(desk: Desk, body: dict[str, str], to: str) -> int | None:
    """eSMS's code for what is wrong with a request."""
    if not _known(desk, body):
        return 101
    if body.get("SmsType") != "2":
        return 118
    if body.get("Brandname") != desk.credentials.esms_brandname:
        return 104
    if not _MOBILE.fullmatch(to):
        return 108
    if to in desk.blocked_phones:
        return 99
    too_long = len(body.get("RequestId", "")) > _LONGEST_REQUEST_ID
    if too_long or not body.get("Content") or _planned_for(body) is None:
        return 110
    return None


def _wrong_template(templates: list[str], body: dict[str, str]) -> int | None:
    if not templates or any(_matches(template, body["Content"]) for template in templates):
        return None
    return 146


def _matches(template: str, content: str) -> bool:
    """A registered text has holes: {P1,20} is one word of up to 20 signs, {P2,50} any words of up to 50."""
    parts = re.split(r"\{P([12]),(\d+)\}", template)
    holes = [
        (r"\S" if kind == "1" else ".") + f"{{1,{most}}}"
        for kind, most in zip(parts[1::3], parts[2::3], strict=True)
    ]
    words = [re.escape(part) for part in parts[0::3]]
    pattern = "".join(word + hole for word, hole in zip(words, [*holes, ""], strict=True))
    return re.fullmatch(pattern, content) is not None


def _planned_for(body: dict[str, str]) -> datetime | None:
    """When a message is to leave; None when SendDate (local time) cannot be read."""
    wanted = body.get("SendDate", "")
    if not wanted:
        return instant()
    try:
        return datetime.strptime(wanted, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_LOCAL)
    except ValueError:
        return None


def _refusal(refusal: Refusal) -> Response:
    if refusal.code is None and refusal.status >= 429:
        return Response("failure", status_code=refusal.status, headers=refusal.headers)
    code = refusal.code or 99
    body = {
        "CodeResult": str(code),
        "CountRegenerate": 0,
        "ErrorMessage": _TEXTS.get(code, "sandbox refusal"),
    }
    return JSONResponse(body if code != 124 else {**body, "SendStatus": "5"})


def _accept(desk: Desk, to: str, body: dict[str, str], planned: Planned | None, late: bool) -> Response:
    key = body.get("RequestId") or None
    if key is not None and _seen(desk, key):
        desk.ledger.tally.refused_duplicates += 1
        return _refusal(Refusal(200, 124))
    ref = reference("")
    if body.get("Sandbox") != "1":
        _send(desk, ref, to, key, body, planned, late)
    return JSONResponse({"CodeResult": "100", "CountRegenerate": 0, "SMSID": ref})


def _seen(desk: Desk, key: str) -> bool:
    earlier = desk.ledger.by_key("esms", key)
    return earlier is not None and instant() - stamped(earlier.at) < _DEDUPED_FOR


def _send(
    desk: Desk, ref: str, to: str, key: str | None, body: dict[str, str], planned: Planned | None, late: bool
) -> None:
    text = body["Content"] if body.get("IsUnicode") == "1" else _plain(body["Content"])
    wait = ((_planned_for(body) or instant()) - instant()).total_seconds()
    entry = desk.ledger.add(
        Entry(
            ref=ref,
            provider="esms",
            channel="sms",
            to=to,
            text=text,
            at=instant().isoformat(),
            key=key,
            sender=body["Brandname"],
            status="scheduled" if wait > 1 else "accepted",
            segments=measure(text).segments,
            callback=body.get("CallbackUrl") or None,
            late=late,
        )
    )
    desk.start(_deliver(desk, entry, Course.under(planned), max(wait, 0)))


def _plain(text: str) -> str:
    """What arrives of a text that was not declared as Unicode."""
    if measure(text).encoding == "GSM-7":
        return text
    return "".join(sign if measure(sign).encoding == "GSM-7" else "?" for sign in text)


def _asked(desk: Desk, request: Request) -> tuple[int, Entry | None]:
    """The message that a query is about, or the code of the refusal."""
    if not _known(desk, dict(request.query_params)):
        return 101, None
    entry = desk.ledger.by_ref(request.query_params.get("RefId", ""))
    return (100, entry) if entry is not None and entry.provider == "esms" else (105, None)


def _result(entry: Entry) -> dict[str, Any]:
    final = entry.status in {"delivered", "undelivered", "rejected"}
    success = entry.status == "delivered"
    return {
        "SendFailed": int(final and not success),
        "SendStatus": _STATES[entry.status],
        "SendSuccess": int(success),
        "TotalPrice": float(_PRICE * entry.segments * success),
        "TotalReceiver": 1,
        "TotalSent": int(final and entry.status != "rejected"),
    }


async def _deliver(desk: Desk, entry: Entry, course: Course, wait: float) -> None:
    """A failure with the code 4 is a refusal after acceptance: SendStatus 4."""
    if wait > 1:
        await _sleep_until_sent(desk, entry, wait)
    await desk.travel(course)
    waiting = _callback_fields(entry)
    rejected = course.code == _STATES["rejected"]
    final = "delivered" if course.delivered else "rejected" if rejected else "undelivered"
    desk.ledger.move(entry, final, course.code)
    told = [_callback_fields(entry), *([waiting] if course.unordered else [])]
    url = entry.callback
    if url is None:
        return
    for fields in told:
        await desk.report(course, partial(desk.callbacks.esms, url, fields))


async def _sleep_until_sent(desk: Desk, entry: Entry, wait: float) -> None:
    await asyncio.sleep(wait)
    desk.ledger.move(entry, "accepted")


def _callback_fields(entry: Entry) -> dict[str, str]:
    result = _result(entry)
    return {
        "SMSID": entry.ref,
        "SendFailed": str(result["SendFailed"]),
        "SendStatus": str(result["SendStatus"]),
        "SendSuccess": str(result["SendSuccess"]),
        "TotalPrice": f"{result['TotalPrice']:.4f}",
        "TotalReceiver": "1",
        "TotalSent": str(result["TotalSent"]),
        "RequestId": entry.key or "",
        "TypeId": "2",
        "telcoid": str(_network(entry.to)[0]),
        "phonenumber": _national(entry.to),
        "switchsmsid": "",
        **({"error_info": str(entry.error_code)} if entry.error_code is not None else {}),
    }


def _network(phone: str) -> tuple[int, str]:
    return next(((number, name) for number, name, prefix in _NETWORKS if prefix.match(phone)), (0, ""))


def _national(phone: str) -> str:
    return "0" + phone.removeprefix("+84")
