"""The official account towards people: who follows it, who wrote to it, and what it may answer."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.desk import Desk, instant, milliseconds, reference
from notifications.sandbox.faults import Course, Fault, Planned
from notifications.sandbox.ledger import Entry, phone_number
from notifications.sandbox.zalo_oauth import ZaloTokenIssuer

OA_ID = "4100000000000000041"
OA_NAME = "Sở Y tế"
EVENTS = ("follow", "unfollow", "user_send_text", "user_submit_info")
_ANSWERABLE = timedelta(hours=48)
_CODES = {
    Fault.REJECT: Refusal(200, -213),
    Fault.QUOTA: Refusal(200, -211),
    Fault.TOKEN_EXPIRED: Refusal(200, -216),
}


@dataclass
class OfficialAccount:
    """People by the number under which the account knows them; it cannot turn a phone into one itself."""

    desk: Desk
    followers: set[str] = field(default_factory=set)
    _phones: dict[str, str] = field(default_factory=dict)
    _wrote_at: dict[str, datetime] = field(default_factory=dict)
    _app_id: str = ""

    def __post_init__(self) -> None:
        for entry in self.desk.ledger.to(provider="zalo"):
            self.user_of(entry.to)

    def user_of(self, phone: str) -> str:
        user = str(10**18 + int.from_bytes(sha256(phone.encode()).digest()[:8]) % (9 * 10**18))
        self._phones[user] = phone
        return user

    def phone_of(self, body: dict[str, Any]) -> str:
        """The phone that a template message is for: given, or of a person known by number."""
        user = body.get("user_id")
        return self._phones.get(str(user), "") if user else phone_number(str(body.get("phone", "")))

    def app_id_of(self, issuer: ZaloTokenIssuer, request: Request) -> str:
        """The application that calls; events go out in the name of the latest."""
        self._app_id = issuer.holder(request.headers.get("access_token", "")) or self._app_id
        return self._app_id

    def known(self, user: str) -> str | None:
        return self._phones.get(user)

    def follows(self, phone: str) -> bool:
        return self.user_of(phone) in self.followers

    def may_answer(self, user: str) -> bool:
        wrote_at = self._wrote_at.get(user)
        return wrote_at is not None and instant() - wrote_at < _ANSWERABLE

    def event(self, name: str, phone: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """What Zalo tells the account about a person's doing, now."""
        user, now = self.user_of(phone), str(milliseconds())
        event: dict[str, Any] = {
            "app_id": str(wanted.get("app_id") or self._app_id or self.desk.credentials.zalo_app_id),
            "event_name": name,
            "timestamp": now,
        }
        if name in {"follow", "unfollow"}:
            (self.followers.add if name == "follow" else self.followers.discard)(user)
            self.desk.ledger.touch()
            return {**event, "oa_id": OA_ID, "follower": {"id": user}, "source": "oa_profile"}
        self._wrote_at[user] = instant()
        talk = {**event, "sender": {"id": user}, "recipient": {"id": OA_ID}, "user_id_by_app": user}
        if name == "user_submit_info":
            info = {"name": str(wanted.get("name", "")), "phone": phone.removeprefix("+"), "address": ""}
            return {**talk, "info": info}
        text = str(wanted.get("text", ""))
        return {**talk, "message": {"msg_id": reference("u")[:20], "text": text}}


def routes(desk: Desk, issuer: ZaloTokenIssuer, account: OfficialAccount) -> list[Route]:
    async def consultation(request: Request) -> Response:
        """POST {recipient: {user_id}, message: {text}}: only to somebody who wrote in the last 48 hours."""
        token = request.headers.get("access_token", "")
        if issuer.holder(token) is None:
            return _refusal(Refusal(200, -216))
        try:
            body = json.loads(await request.body())
            user, text = str(body["recipient"]["user_id"]), str(body["message"]["text"])
        except (ValueError, KeyError, TypeError):
            return _refusal(Refusal(200, -201))
        phone = account.known(user)
        if phone is None or not account.may_answer(user):
            return _refusal(Refusal(200, -213 if phone is None else -230))
        planned = desk.faults.take("zalo", phone)
        if planned is not None and planned.fault is Fault.TOKEN_EXPIRED:
            issuer.expire(token)
        sending = Sending[Response](
            accept=lambda late: _accept(desk, phone, user, text, planned, late),
            refuse=_refusal,
            cut=Dropped,
            codes=_CODES,
        )
        return await desk.answer(sending, planned)

    async def events(request: Request) -> Response:
        """POST {event, to, text?, name?, app_id?, forged?}: a person does something, and Zalo tells of it."""
        try:
            wanted = dict(json.loads(await request.body()))
            name, phone = str(wanted["event"]), phone_number(str(wanted["to"]))
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error), "events": EVENTS}, 422)
        if name not in EVENTS or not phone:
            return JSONResponse({"refused": "unknown event or no phone", "events": EVENTS}, 422)
        event = account.event(name, phone, wanted)
        if name == "user_send_text":
            _remember_what_was_written(desk, phone, event["message"])
        desk.start(desk.callbacks.zalo(event, forged=bool(wanted.get("forged"))))
        return JSONResponse({"event": event}, 202)

    return [
        Route("/v3.0/oa/message/cs", consultation, methods=["POST"]),
        Route("/_sandbox/zalo/events", events, methods=["POST"]),
    ]


def _refusal(refusal: Refusal) -> Response:
    if refusal.code is None and refusal.status >= 429:
        return Response("failure", status_code=refusal.status, headers=refusal.headers)
    code = refusal.code or -213
    return JSONResponse({"error": code, "message": f"sandbox refusal {code}"})


def _accept(desk: Desk, phone: str, user: str, text: str, planned: Planned | None, late: bool) -> Response:
    entry = desk.ledger.add(
        Entry(
            ref=reference("c"),
            provider="zalo",
            channel="zalo",
            to=phone,
            text=text,
            at=instant().isoformat(),
            sender=OA_NAME,
            late=late,
            paragraphs=[text],
        )
    )
    desk.start(_deliver(desk, entry, Course.under(planned)))
    data = {"message_id": entry.ref, "user_id": user}
    return JSONResponse({"error": 0, "message": "Success", "data": data})


async def _deliver(desk: Desk, entry: Entry, course: Course) -> None:
    await desk.travel(course)
    desk.ledger.move(entry, "delivered" if course.delivered else "undelivered", course.code)


def _remember_what_was_written(desk: Desk, phone: str, message: dict[str, str]) -> None:
    desk.ledger.add(
        Entry(
            ref=message["msg_id"],
            provider="zalo",
            channel="zalo",
            to=phone,
            text=message["text"],
            at=instant().isoformat(),
            status="delivered",
            incoming=True,
        )
    )
