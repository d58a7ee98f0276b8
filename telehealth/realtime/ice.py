"""ICE servers for a client: none by default, TURN with time-limited credentials when one is configured."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID


class IceServer(TypedDict):
    """An RTCIceServer as the browser takes it."""

    urls: list[str]
    username: str
    credential: str


def ice_servers(
    urls: tuple[str, ...],
    secret: str,
    *,
    client: UUID,
    until: datetime,
    margin: timedelta = timedelta(minutes=10),
) -> list[IceServer]:
    """Return the TURN servers with credentials that die `margin` after the room.

    coturn's REST scheme (`use-auth-secret`): user name `<unix time>:<name>`, password
    base64(HMAC-SHA1(secret, user name)). SHA-1 is what the scheme prescribes.
    """
    if not urls or not secret:
        return []
    username = f"{int((until + margin).timestamp())}:{client}"
    mac = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return [{"urls": list(urls), "username": username, "credential": base64.b64encode(mac).decode()}]
