"""Server-sent events: the text form, and one stream that ends with its client or with the process."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

HEARTBEAT = 15.0
BACKLOG = 64
RETRY_MS = (500, 3000)

Chunk = bytes | None
"""What goes into a subscriber's queue; None ends the stream."""


class Subscriber:
    """One open stream. A client that does not read is let go: it reconnects with its Last-Event-ID."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._chunks: asyncio.Queue[Chunk] = asyncio.Queue()

    def put(self, chunk: bytes) -> None:
        """Queue one event."""
        if self._chunks.qsize() < BACKLOG:
            self._chunks.put_nowait(chunk)
        else:
            self.end()

    def end(self) -> None:
        """Close the stream after what is queued."""
        self._chunks.put_nowait(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield events as they come and a comment when there were none for `HEARTBEAT` seconds."""
        yield f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311  spreads reconnects
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    chunk = await self._chunks.get()
            except TimeoutError:
                chunk = b": alive\n\n"
            if chunk is None:
                return
            yield chunk


def event(name: str, data: Any, *, event_id: int | None = None) -> bytes:
    """Return one event; JSON keeps the data on one line."""
    head = "" if event_id is None else f"id: {event_id}\n"
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{head}event: {name}\ndata: {text}\n\n".encode()


def stream(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    """Return the response that streams; proxies must neither store nor buffer it."""
    return StreamingResponse(
        chunks,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
