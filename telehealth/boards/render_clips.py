"""Render the clips that boards speak with: `python -m telehealth.boards.render_clips`.

The clips are committed, as built styles are: the product never runs this. espeak-ng is the voice, Debian's
package; on a machine without it root gets it by apt. What it reads out carries no licence of the program.
"""

import io
import os
import shutil
import subprocess
import sys
import wave
from array import array
from collections.abc import Mapping
from pathlib import Path

import av

from telehealth.boards.codes import Dialect
from telehealth.boards.speech import EDITION, clip_name, words_of

CLIPS = Path(__file__).resolve().parents[1] / "web" / "static" / "voice" / EDITION
VOICES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "vi-south": ("vi-vn-x-south", words_of("vi", Dialect.SOUTH)),
    "vi-north": ("vi", words_of("vi", Dialect.NORTH)),
    "en": ("en-gb", words_of("en")),
}
"""What each folder says, and espeak-ng's voice that reads it."""

WORDS_A_MINUTE = 140
BIT_RATE = 32_000
QUIET = 250
"""A sample below this (of 32,767) is silence."""
BREATH_SECONDS = 0.025
PEAK = 29_000


def main() -> int:
    """Render every clip; returns the exit code."""
    if not _espeak():
        sys.stderr.write("espeak-ng is not here: `apt install espeak-ng`\n")
        return 1
    for folder, (voice, words) in VOICES.items():
        target = CLIPS / folder
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for key, word in words.items():
            rate, samples = _spoken(voice, word)
            (target / f"{clip_name(key)}.mp3").write_bytes(_mp3(rate, _trimmed(rate, samples)))
    return 0


def _espeak() -> bool:
    if shutil.which("espeak-ng") is None and not os.geteuid() and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "espeak-ng"]):
            subprocess.run(["apt-get", *command], env=quiet, check=False)
    return shutil.which("espeak-ng") is not None


def _spoken(voice: str, word: str) -> "tuple[int, array[int]]":
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "--stdin", "--stdout"]
    raw = subprocess.run(command, input=word.encode(), capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(raw)) as sound:
        # A pipe has no length: its header promises more than comes.
        samples = array("h", sound.readframes((len(raw) - 44) // 2))
        return sound.getframerate(), samples


def _trimmed(rate: int, samples: "array[int]") -> "array[int]":
    """Cut the silence around a word and bring all words to one loudness."""
    loud = [place for place, sample in enumerate(samples) if abs(sample) > QUIET]
    breath = int(rate * BREATH_SECONDS)
    word = samples[max(0, loud[0] - breath) : loud[-1] + breath]
    factor = PEAK / max(abs(sample) for sample in word)
    return array("h", (int(sample * factor) for sample in word))


def _mp3(rate: int, samples: "array[int]") -> bytes:
    """Encode as MP3, which every browser decodes; without tags, so that the same words are the same bytes."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp3", options={"id3v2_version": "0", "write_xing": "1"}) as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono", bit_rate=BIT_RATE)
        frame = av.AudioFrame(format="s16p", layout="mono", samples=len(samples))
        frame.sample_rate = rate
        frame.planes[0].update(samples.tobytes() + bytes(frame.planes[0].buffer_size - len(samples) * 2))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


if __name__ == "__main__":
    sys.exit(main())
