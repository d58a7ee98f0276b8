"""How the realtime process reaches a media process: HTTP over loopback, with a key that both derive."""

import json
from dataclasses import dataclass

import urllib3

from telehealth.core.crypto import derive_key
from telehealth.media.engine import MediaRefused
from telehealth.settings import Settings

KEY_HEADER = "X-Media-Key"
MAX_OFFER = 64 * 1024
_PORTS_AFTER_WEB = 2


def control_key(secret_key: str) -> str:
    """Return the key that a caller of the media process shows."""
    return derive_key(secret_key.encode(), "media-control:v1").hex()


def control_port(settings: Settings) -> int:
    """Return the loopback port of the media process: `MEDIA_PORT`, else the second after the web's."""
    return int(settings.environ.get("MEDIA_PORT") or settings.port + _PORTS_AFTER_WEB)


@dataclass(frozen=True, slots=True)
class MediaClient:
    """Calls one media process. Blocking: call it in a thread."""

    address: str
    key: str
    http: urllib3.PoolManager

    @classmethod
    def of(cls, settings: Settings) -> "MediaClient":
        """Return the client of the media process beside this one."""
        http = urllib3.PoolManager(maxsize=4, retries=False, timeout=urllib3.Timeout(connect=1, read=8))
        return cls(f"http://127.0.0.1:{control_port(settings)}", control_key(settings.secret_key), http)

    def answer_test(self, offer_sdp: str) -> str:
        """Return the test peer's answer. Raises MediaRefused, also `media-unavailable`."""
        try:
            response = self.http.request(
                "POST",
                f"{self.address}/test",
                body=json.dumps({"sdp": offer_sdp}),
                headers={KEY_HEADER: self.key, "Content-Type": "application/json"},
            )
            body = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise MediaRefused("media-unavailable") from error
        if response.status != 200:
            raise MediaRefused(str(body.get("code", "media-unavailable")))
        return str(body["sdp"])
