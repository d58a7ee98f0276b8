"""The way from a node to the centre: HTTPS, short waits, no retries. The next round is the retry."""

import http
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Self, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.nodes.models import ThisNode
from telehealth.nodes.services.enrolling import token_context
from telehealth.nodes.services.round import LineDown, Refused

_PATIENCE_SECONDS = 15


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """The centre sends nobody on. Who does stands between, and is not shown the token."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere."""


_OPENER = urllib.request.build_opener(_NoDetours)


class HttpLine:
    """Speaks with one centre as one node."""

    def __init__(self, centre_url: str, token: str | None) -> None:
        self._base = centre_url.rstrip("/") + "/api/v1/nodes"
        self._token = token

    @classmethod
    def of_this_node(cls, session: Session, cipher: FieldCipher) -> Self | None:
        """Return the way from here, as its enrolment wrote it down; None on a machine that is no node."""
        here = session.scalars(select(ThisNode)).one_or_none()
        if here is None:
            return None
        return cls(here.centre_url, cipher.open_text(here.token_sealed, token_context(here.node_id)))

    def enrol(self, code: str, facility: str) -> Mapping[str, Any]:
        """Become the facility's node by a code."""
        return self._ask("POST", "/enrolments", {"code": code, "facility": facility})

    def report(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say how this node is; hear how it stands and what time it is there."""
        return self._ask("POST", "/reports", report)

    def settle(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hand in a batch."""
        return self._ask("POST", "/settlements", batch)

    def bundle(self, tag: str | None) -> Mapping[str, Any] | None:
        """Fetch the slice; None where it is still the one of that tag."""
        more = {} if tag is None else {"If-None-Match": f'"{tag}"'}
        try:
            return self._ask("GET", "/bundle", headers=more)
        except Refused as refusal:
            if refusal.status == 304:
                return None
            raise

    def lend(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for a block of numbers."""
        return self._ask("POST", "/leases", wish)

    def give_back(self, rest: Mapping[str, Any]) -> None:
        """Say what of a block was never given."""
        body = {name: value for name, value in rest.items() if name != "lease_id"}
        self._ask("POST", f"/leases/{rest['lease_id']}/return", body)

    def device(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have a device's code redeemed."""
        return self._ask("POST", "/devices", wish)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        named = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
        if self._token is not None:
            named["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._base + path, data, named, method=method)  # noqa: S310  our centre
        try:
            with _OPENER.open(asked, timeout=_PATIENCE_SECONDS) as answer:
                return cast("Mapping[str, Any]", json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise _refused(refusal) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LineDown from error


def _refused(answer: urllib.error.HTTPError) -> Exception:
    if answer.code >= 500 or (300 <= answer.code < 400 and answer.code != http.HTTPStatus.NOT_MODIFIED):
        return LineDown()
    try:
        body = json.loads(answer.read() or b"{}")
    except ValueError:
        body = {}
    return Refused(answer.code, str(body.get("code", "")), body)
