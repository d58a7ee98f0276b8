"""The test peer echoes what a page sends, within its capacity."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from telehealth.media.aiortc_engine import AiortcEngine
from telehealth.media.engine import MediaRefused

T = TypeVar("T")


def run(scene: Callable[[AiortcEngine], Awaitable[T]], **engine: float) -> T:
    async def play() -> T:
        peer = AiortcEngine(**engine)  # type: ignore[arg-type]
        try:
            return await scene(peer)
        finally:
            await peer.close()

    # A thread of its own: a browser test of the same worker may have left a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(play())).result()


async def a_page() -> tuple[RTCPeerConnection, str]:
    page = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    page.addTrack(AudioStreamTrack())
    await page.setLocalDescription(await page.createOffer())
    return page, page.localDescription.sdp


def test_what_a_page_sends_comes_back() -> None:
    async def scene(engine: AiortcEngine) -> int:
        page, offer = await a_page()
        frames: asyncio.Queue[int] = asyncio.Queue()

        @page.on("track")
        def listen(track: AudioStreamTrack) -> None:
            async def receive() -> None:
                frame = await track.recv()
                frames.put_nowait(frame.samples)

            page.listening = asyncio.create_task(receive())  # type: ignore[attr-defined]

        answer = await engine.answer_test(offer)
        await page.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        samples = await asyncio.wait_for(frames.get(), 8)
        assert engine.load().connections == 1
        await page.close()
        return samples

    assert run(scene) > 0


def test_a_full_engine_says_so() -> None:
    async def scene(engine: AiortcEngine) -> str:
        page, offer = await a_page()
        with pytest.raises(MediaRefused) as refused:
            await engine.answer_test(offer)
        await page.close()
        return refused.value.code

    assert run(scene, capacity=0) == "media-full"


@pytest.mark.parametrize(
    "text", ["", "v=0", "hello", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "\x00" * 100]
)
def test_what_is_no_offer_is_refused_and_costs_no_place(text: str) -> None:
    async def scene(engine: AiortcEngine) -> tuple[str, int]:
        with pytest.raises(MediaRefused) as refused:
            await engine.answer_test(text)
        return refused.value.code, engine.load().connections

    assert run(scene) == ("bad-offer", 0)


def test_a_test_ends_by_itself() -> None:
    async def scene(engine: AiortcEngine) -> int:
        page, offer = await a_page()
        await engine.answer_test(offer)
        while engine.load().connections:
            await asyncio.sleep(0.02)
        await page.close()
        return engine.load().connections

    assert run(scene, test_seconds=0.1) == 0
