"""A push service (RFC 8030) with its own browsers, which read what they get (RFC 8291).

A browser's real endpoint, called here because PUSH_BASE_URL leads here, keeps its path; what comes for it is
recorded unread, as the service itself sees it.
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.answers import Dropped, Refusal, Sending
from notifications.sandbox.desk import Desk, instant, reference, stamped
from notifications.sandbox.faults import Course, Fault, Planned
from notifications.sandbox.ledger import Entry, phone_number

# The sandbox's browsers claim to be of a maker whom every sender knows.
SERVICE = "https://updates.push.services.mozilla.com"
_VAPID = re.compile(r"vapid\s+(.*)", re.IGNORECASE)
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_LARGEST = 4096
_LONGEST_PROOF = timedelta(hours=24)
_KEPT_PROOFS = 256
_CODES = {
    Fault.REJECT: Refusal(410),
    Fault.QUOTA: Refusal(429, retry_after=60),
    Fault.TOKEN_EXPIRED: Refusal(403),
}
_PENDING = frozenset({"accepted", "waiting"})


class BadPush(Exception):
    """A request that a push service refuses."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Browser:
    """One subscription, with the half of its keys that only a browser has.

    `gone`: the status with which it is refused since it ended. `owner_key`: the only sender it takes
    messages from, when it was subscribed under a key.
    """

    id: str
    to: str
    key: ec.EllipticCurvePrivateKey
    auth: bytes
    owner_key: str | None = None
    online: bool = True
    gone: int | None = None

    def told(self, base_url: str) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "id": self.id,
            "to": self.to,
            "endpoint": f"{SERVICE}/push/{self.id}",
            "local_endpoint": f"{base_url}/push/{self.id}",
            "keys": {"p256dh": base64url(point), "auth": base64url(self.auth)},
            "p256dh": base64url(point),
            "auth": base64url(self.auth),
            "online": self.online,
            "gone": self.gone,
        }

    def read(self, body: bytes) -> str | None:
        """The text of a sealed message, None when it is not for this browser."""
        try:
            opened = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
            return bytes(opened).decode()
        except (http_ece.ECEException, ValueError, IndexError, TypeError):
            return None


def routes(desk: Desk) -> list[Route]:
    """The last route takes every path: the makers' services have paths of their own."""
    service = PushService(desk)
    return [
        Route("/_sandbox/push-subscriptions", service.subscriptions, methods=["GET", "POST"]),
        Route("/_sandbox/push-subscriptions/{id}", service.subscription, methods=["POST", "DELETE"]),
        Route("/{endpoint:path}", service.take, methods=["POST"]),
    ]


class PushService:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._browsers: dict[str, Browser] = {}
        self._proofs: dict[str, Mapping[str, Any]] = {}

    async def subscriptions(self, request: Request) -> Response:
        """POST {to, application_server_key?} makes a browser of this person; GET lists them."""
        base_url = str(request.base_url).rstrip("/")
        if request.method == "GET":
            return JSONResponse({"items": [browser.told(base_url) for browser in self._browsers.values()]})
        try:
            wanted = json.loads(await request.body())
            to = phone_number(str(wanted["to"]))
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        browser = Browser(
            id=secrets.token_urlsafe(24),
            to=to,
            key=ec.generate_private_key(ec.SECP256R1()),
            auth=secrets.token_bytes(16),
            owner_key=wanted.get("application_server_key"),
        )
        self._browsers[browser.id] = browser
        return JSONResponse(browser.told(base_url), 201)

    async def subscription(self, request: Request) -> Response:
        """POST {online?: true or false, gone?: 404, 410 or null}; DELETE is an unsubscription."""
        browser = self._browsers.get(request.path_params["id"])
        if browser is None:
            return JSONResponse({"refused": "unknown subscription"}, 404)
        if request.method == "DELETE":
            browser.gone = 410
            return Response(status_code=204)
        try:
            wanted = json.loads(await request.body())
            browser.online = bool(wanted.get("online", browser.online))
            browser.gone = int(wanted["gone"]) if wanted.get("gone") else None
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"refused": str(error)}, 422)
        if browser.online:
            self._arrive(browser)
        return JSONResponse(browser.told(str(request.base_url).rstrip("/")))

    async def take(self, request: Request) -> Response:
        """A message for a browser, its own or one that the sandbox cannot read for."""
        endpoint = request.path_params["endpoint"]
        browser = self._browsers.get(endpoint.removeprefix("push/"))
        try:
            body = await request.body()
            proof = self._proven(request, browser)
            order = _order(request.headers, body)
            _admit(browser, proof)
        except BadPush as refused:
            return JSONResponse({"code": refused.status, "message": str(refused)}, refused.status)
        to = browser.to if browser else f"push:{sha256(endpoint.encode()).hexdigest()[:16]}"
        planned = self._desk.faults.take("push", to)
        sending = Sending[Response](
            accept=lambda late: self._accept(browser, to, body, order, planned, late),
            refuse=_refusal,
            cut=Dropped,
            codes=_CODES,
        )
        return await self._desk.answer(sending, planned)

    def _proven(self, request: Request, browser: Browser | None) -> Mapping[str, Any]:
        """Who sends (RFC 8292): the claims and the key `k`. Raises BadPush."""
        found = _VAPID.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise BadPush(401 if browser else 404, "no VAPID authorization")
        proof = self._proofs.get(found[1])
        if proof is None:
            proof = _verified(found[1])
            if len(self._proofs) >= _KEPT_PROOFS:
                self._proofs.clear()
            self._proofs[found[1]] = proof
        _check_claims(proof, {f"{request.url.scheme}://{request.headers.get('host')}", SERVICE}, browser)
        return proof

    def _accept(
        self,
        browser: Browser | None,
        to: str,
        body: bytes,
        order: Mapping[str, Any],
        planned: Planned | None,
        late: bool,
    ) -> Response:
        entry = self._desk.ledger.add(_entry(browser, to, body, order, late))
        if order["topic"] is not None:
            self._replace(entry)
        self._desk.start(self._deliver(browser, entry, Course.under(planned)))
        headers = {"Location": f"/message/{entry.ref}", "TTL": str(order["ttl"])}
        return Response(status_code=201, headers=headers)

    def _replace(self, newer: Entry) -> None:
        """A topic's undelivered message gives way to the newer one (RFC 8030 section 5.4)."""
        for entry in self._desk.ledger.to(newer.to, "push"):
            if entry is not newer and _same_topic(entry, newer) and entry.status in _PENDING:
                self._desk.ledger.move(entry, "replaced")

    async def _deliver(self, browser: Browser | None, entry: Entry, course: Course) -> None:
        await self._desk.travel(course)
        if entry.status == "replaced":
            return
        if not course.delivered:
            self._desk.ledger.move(entry, "undelivered", course.code)
        elif browser is not None and not browser.online:
            self._desk.ledger.move(entry, "waiting" if entry.details["ttl"] else "expired")
        else:
            self._desk.ledger.move(entry, "delivered")

    def _arrive(self, browser: Browser) -> None:
        """The phone is switched on again: it gets what has waited and has not run out."""
        for entry in self._desk.ledger.to(browser.to, "push"):
            if entry.status == "waiting" and entry.details["subscription"] == browser.id:
                age = (instant() - stamped(entry.at)).total_seconds()
                self._desk.ledger.move(entry, "delivered" if age <= entry.details["ttl"] else "expired")


def _verified(parameters: str) -> Mapping[str, Any]:
    """The claims of a token signed with the key that comes along. Raises BadPush."""
    given = dict(part.strip().partition("=")[::2] for part in parameters.split(","))
    try:
        signed, _, signature = given["t"].rpartition(".")
        header, claims = (json.loads(base64url_bytes(part)) for part in signed.split("."))
        half = base64url_bytes(signature)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64url_bytes(given["k"]))
        der = encode_dss_signature(int.from_bytes(half[:32]), int.from_bytes(half[32:]))
        if header.get("alg") != "ES256" or len(half) != 64:
            raise BadPush(401, "the token is not signed by ES256")
        key.verify(der, signed.encode(), ec.ECDSA(SHA256()))
        return {**claims, "k": given["k"]}
    except InvalidSignature:
        raise BadPush(401, "the token's signature is wrong") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadPush(401, "the authorization cannot be read") from None


def _check_claims(proof: Mapping[str, Any], origins: set[str], browser: Browser | None) -> None:
    audience, subject, expires = proof.get("aud"), proof.get("sub"), proof.get("exp")
    elsewhere = browser is None and str(audience).startswith("https://")
    if audience not in origins and not elsewhere:
        raise BadPush(401, f"aud is {audience}, not this service")
    if not isinstance(subject, str) or not subject.startswith(("mailto:", "https:")):
        raise BadPush(401, "sub must be a mailto: or https: address")
    now = instant().timestamp()
    if not isinstance(expires, int) or not now < expires <= now + _LONGEST_PROOF.total_seconds():
        raise BadPush(401, "exp must lie in the coming 24 hours")


def _admit(browser: Browser | None, proof: Mapping[str, Any]) -> None:
    if browser is None:
        return
    if browser.gone is not None:
        raise BadPush(browser.gone, "this subscription has ended")
    if browser.owner_key is not None and browser.owner_key.rstrip("=") != proof["k"].rstrip("="):
        raise BadPush(403, "this subscription belongs to another sender")


def _order(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """How a message is to be carried. Raises BadPush."""
    ttl, topic, urgency = headers.get("ttl", ""), headers.get("topic"), headers.get("urgency", "normal")
    if not ttl.isdecimal():
        raise BadPush(400, "TTL is required")
    if topic is not None and not _TOPIC.fullmatch(topic):
        raise BadPush(400, "Topic must be up to 32 signs of base64url")
    if urgency not in _URGENCIES:
        raise BadPush(400, "unknown Urgency")
    if body and headers.get("content-encoding") != "aes128gcm":
        raise BadPush(400, "Content-Encoding must be aes128gcm")
    if len(body) > _LARGEST:
        raise BadPush(413, f"more than {_LARGEST} bytes")
    return {"ttl": int(ttl), "topic": topic, "urgency": urgency}


def _entry(browser: Browser | None, to: str, body: bytes, order: Mapping[str, Any], late: bool) -> Entry:
    details = {**order, "bytes": len(body), "subscription": browser.id if browser else None}
    entry = Entry(
        ref=reference("p"),
        provider="push",
        channel="push",
        to=to,
        text=f"encrypted push, {len(body)} bytes",
        at=instant().isoformat(),
        key=order["topic"],
        late=late,
        details=details,
    )
    opened = browser.read(body) if browser else None
    if opened is not None:
        _unfold(entry, opened)
    elif browser is not None:
        details["unreadable"] = True
    return entry


def _unfold(entry: Entry, opened: str) -> None:
    """What a service worker would show: title, body and url of a JSON object, or the bare text."""
    entry.text = opened
    try:
        shown = json.loads(opened)
    except ValueError:
        return
    if isinstance(shown, dict):
        entry.title, entry.text = str(shown.get("title", "")), str(shown.get("body", opened))
        entry.button = ["Mở", str(shown["url"])] if shown.get("url") else []
        entry.details["payload"] = shown


def _same_topic(one: Entry, other: Entry) -> bool:
    places = ("topic", "subscription")
    return all(one.details.get(place) == other.details.get(place) for place in places)


def _refusal(refusal: Refusal) -> Response:
    status = refusal.code or refusal.status
    return JSONResponse({"code": status}, status_code=status, headers=refusal.headers)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def base64url_bytes(text: str) -> bytes:
    """Raises ValueError (binascii.Error is one)."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
