"""Render what the kiosk says: `python -m telehealth.kiosk.render_prompts`.

The clips are committed, as built styles are: the product never runs this, and a kiosk needs no network for
its voice. espeak-ng (Debian's package) reads them out.
"""

import io
import subprocess
import wave
from pathlib import Path

import av

from telehealth.kiosk.prompts import PROMPTS, clip_path

STATIC = Path(__file__).resolve().parents[1] / "web" / "static"
VOICES = {"vi": "vi-vn-x-south", "en": "en-gb"}
WORDS_A_MINUTE = 135
BIT_RATE = 32_000


def main() -> None:
    """Render every prompt. Raises FileNotFoundError without espeak-ng."""
    for language, prompts in PROMPTS.items():
        for name, words in prompts.items():
            target = STATIC / clip_path(language, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_mp3(*_spoken(VOICES[language], words)))


def _spoken(voice: str, words: str) -> tuple[int, bytes]:
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "--stdin", "--stdout"]
    raw = subprocess.run(command, input=words.encode(), capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(raw)) as sound:
        # A pipe has no length: its header promises more than comes.
        return sound.getframerate(), sound.readframes((len(raw) - 44) // 2)


def _mp3(rate: int, samples: bytes) -> bytes:
    """Encode without tags, so that the same words are the same bytes."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp3", options={"id3v2_version": "0", "write_xing": "1"}) as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono", bit_rate=BIT_RATE)
        frame = av.AudioFrame(format="s16p", layout="mono", samples=len(samples) // 2)
        frame.sample_rate = rate
        frame.planes[0].update(samples + bytes(frame.planes[0].buffer_size - len(samples)))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


if __name__ == "__main__":
    main()
