"""Render what the kiosk says: `python -m telehealth.kiosk.render_prompts`.

The clips are committed, as built styles are: the product never runs this, and a kiosk needs no network for
its voice. espeak-ng (Debian's package) reads them out.
"""

from pathlib import Path

from telehealth.core.clips import mp3, spoken
from telehealth.kiosk.prompts import PROMPTS, clip_path

STATIC = Path(__file__).resolve().parents[1] / "web" / "static"
VOICES = {"vi": "vi-vn-x-south", "en": "en-gb"}
WORDS_A_MINUTE = 135


def main() -> None:
    """Render every prompt. Raises FileNotFoundError without espeak-ng."""
    for language, prompts in PROMPTS.items():
        for name, words in prompts.items():
            target = STATIC / clip_path(language, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(mp3(*spoken(VOICES[language], words, WORDS_A_MINUTE)))


if __name__ == "__main__":
    main()
