"""Render the clips that boards speak with: `python -m telehealth.boards.render_clips`.

The clips are committed, as built styles are: the product never runs this. espeak-ng is the voice, Debian's
package; on a machine without it root gets it by apt. What it reads out carries no licence of the program.
"""

import os
import shutil
import subprocess
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path

from telehealth.boards.codes import Dialect
from telehealth.boards.speech import EDITION, clip_name, words_of
from telehealth.core.clips import mp3, spoken

CLIPS = Path(__file__).resolve().parents[1] / "web" / "static" / "voice" / EDITION
VOICES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "vi-south": ("vi-vn-x-south", words_of("vi", Dialect.SOUTH)),
    "vi-north": ("vi", words_of("vi", Dialect.NORTH)),
    "en": ("en-gb", words_of("en")),
}
"""What each folder says, and espeak-ng's voice that reads it."""

WORDS_A_MINUTE = 140
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
            rate, samples = spoken(voice, word, WORDS_A_MINUTE)
            (target / f"{clip_name(key)}.mp3").write_bytes(mp3(rate, _trimmed(rate, samples)))
    return 0


def _espeak() -> bool:
    if shutil.which("espeak-ng") is None and not os.geteuid() and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "espeak-ng"]):
            subprocess.run(["apt-get", *command], env=quiet, check=False)
    return shutil.which("espeak-ng") is not None


def _trimmed(rate: int, samples: "array[int]") -> "array[int]":
    """Cut the silence around a word and bring all words to one loudness."""
    loud = [place for place, sample in enumerate(samples) if abs(sample) > QUIET]
    breath = int(rate * BREATH_SECONDS)
    word = samples[max(0, loud[0] - breath) : loud[-1] + breath]
    factor = PEAK / max(abs(sample) for sample in word)
    return array("h", (int(sample * factor) for sample in word))


if __name__ == "__main__":
    sys.exit(main())
