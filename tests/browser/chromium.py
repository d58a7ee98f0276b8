"""Real Chromium with made-up devices, and how one page tells what another one shows it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Locator, Page, Playwright, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]
PATIENCE_MS = 30_000
PICTURE_MS = 2 * PATIENCE_MS
"""Two browsers that code and decode by software share two cores with other tests."""
expect.set_options(timeout=PATIENCE_MS)

Yuv = tuple[int, int, int]
RED_BLUE: tuple[Yuv, Yuv] = ((81, 90, 240), (41, 240, 110))
GREEN_WHITE: tuple[Yuv, Yuv] = ((145, 54, 34), (235, 128, 128))

READ_MARKER = """
() => {
  const video = document.querySelector('video[data-room="remote"]');
  if (!video || !video.videoWidth) return null;
  const canvas = new OffscreenCanvas(64, 36);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 64, 36);
  const at = (x) => [...context.getImageData(x, 18, 1, 1).data].slice(0, 3);
  return { left: at(12), right: at(52), frames: video.getVideoPlaybackQuality().totalVideoFrames };
}
"""


def launch(playwright: Playwright, clip: Path | None = None) -> Browser:
    """Start Chromium; `clip` is what its camera sees."""
    camera = [f"--use-file-for-fake-video-capture={clip}"] if clip else []
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *camera])


@contextmanager
def opened(browser: Browser, width: int, height: int, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page of a person of their own, and what it complained of."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        yield page, complaints
    finally:
        context.close()


def on_first_screen(page: Page, thing: Locator, width: int = 390, height: int = 700) -> None:
    """See that a small phone shows a thing whole without scrolling."""
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))")
    box = thing.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height, f"ends at {box['y'] + box['height']:.0f} of {height}"
    if before is not None:
        page.set_viewport_size(before)


def faults_of(page: Page) -> list[str]:
    """Return what axe finds wrong with a page, with every rule on."""
    found = _read_by_axe(page)
    return [f"{fault['id']}: {[node['html'] for node in fault['nodes']]}" for fault in found]


def _read_by_axe(page: Page, again: int = 2) -> list[dict[str, Any]]:
    """Read the page that is shown; one that a click was about to replace is read again once it came."""
    page.wait_for_load_state()
    try:
        page.evaluate("document.fonts.ready.then(() => null)")
        violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    except Error:
        if not again:
            raise
        return _read_by_axe(page, again - 1)
    return violations


def no_faults(page: Page) -> None:
    """Nothing that axe finds, and nothing wider than the glass."""
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def marker_clip(path: Path, halves: tuple[Yuv, Yuv], width: int = 320, height: int = 180) -> Path:
    """Write a short clip whose left and right halves have the two colours (Y'CbCr, BT.601)."""

    def plane(index: int, columns: int, rows: int) -> bytes:
        row = bytes([halves[0][index]] * (columns // 2) + [halves[1][index]] * (columns - columns // 2))
        return row * rows

    frame = plane(0, width, height) + b"".join(plane(i, width // 2, height // 2) for i in (1, 2))
    head = f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + frame) * 20)
    return path


def looks(colour: list[int]) -> str:
    """Name a decoded colour roughly."""
    red, green, blue = (value > 127 for value in colour)
    names = {(1, 0, 0): "red", (0, 0, 1): "blue", (0, 1, 0): "green", (1, 1, 1): "white", (0, 0, 0): "black"}
    return names.get((int(red), int(green), int(blue)), str(colour))


def sees(page: Page) -> tuple[str, str]:
    """Return the colours of the other side's marker, read from newly decoded pixels."""
    page.wait_for_function(
        f"() => ({READ_MARKER})() !== null && ({READ_MARKER})().frames > 5", timeout=PICTURE_MS
    )
    before: dict[str, Any] = page.evaluate(READ_MARKER)
    page.wait_for_function(
        f"(frames) => ({READ_MARKER})().frames > frames + 5", arg=before["frames"], timeout=PICTURE_MS
    )
    now: dict[str, Any] = page.evaluate(READ_MARKER)
    return looks(now["left"]), looks(now["right"])


def wait_for_state(page: Page, state: str) -> None:
    """Wait until a room says how it stands."""
    page.wait_for_selector(f'[data-island="room"][data-state="{state}"]', timeout=PATIENCE_MS)
