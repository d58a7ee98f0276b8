"""The embedded engine: aiortc in the process's own event loop."""

import asyncio

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from telehealth.media.engine import Load, MediaRefused

CAPACITY = 4
"""Test peers at once: each decodes and encodes a picture, which costs a good part of a core."""

TEST_SECONDS = 15.0


class AiortcEngine:
    """A MediaEngine of test peers."""

    def __init__(self, *, capacity: int = CAPACITY, test_seconds: float = TEST_SECONDS) -> None:
        self._capacity = capacity
        self._test_seconds = test_seconds
        self._tests: dict[RTCPeerConnection, asyncio.TimerHandle] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def answer_test(self, offer_sdp: str) -> str:
        """Return the answer of a peer that echoes each track it gets."""
        if len(self._tests) >= self._capacity:
            raise MediaRefused("media-full")
        # aiortc's default configuration asks a public STUN server; this peer needs none.
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._keep(connection)
        try:
            return await _answered(connection, offer_sdp)
        except Exception as error:  # aiortc raises whatever its parsers meet in a foreign text
            await self._end(connection)
            raise MediaRefused("bad-offer") from error

    def _keep(self, connection: RTCPeerConnection) -> None:
        loop = asyncio.get_running_loop()
        self._tests[connection] = loop.call_later(self._test_seconds, self._end_soon, connection)

        @connection.on("track")
        def echo(track: MediaStreamTrack) -> None:
            connection.addTrack(track)

        @connection.on("connectionstatechange")
        def changed() -> None:
            if connection.connectionState in {"failed", "closed"}:
                self._end_soon(connection)

    def _end_soon(self, connection: RTCPeerConnection) -> None:
        task = asyncio.get_running_loop().create_task(self._end(connection))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _end(self, connection: RTCPeerConnection) -> None:
        timer = self._tests.pop(connection, None)
        if timer is None:
            return
        timer.cancel()
        await connection.close()

    def load(self) -> Load:
        """Return how many test peers there are."""
        return Load(len(self._tests), self._capacity)

    async def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._tests):
            await self._end(connection)


async def _answered(connection: RTCPeerConnection, offer_sdp: str) -> str:
    await connection.setRemoteDescription(RTCSessionDescription(sdp=offer_sdp, type="offer"))
    if not connection.getTransceivers():
        msg = "an offer of nothing"
        raise ValueError(msg)
    await connection.setLocalDescription(await connection.createAnswer())
    return str(connection.localDescription.sdp)
