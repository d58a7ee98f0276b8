"""What the kiosk says lies beside it, in both languages, for every screen that speaks."""

import io
import re
from pathlib import Path

import av
import pytest

import telehealth
from telehealth.kiosk.prompts import PROMPTS, clip_path

PACKAGE = Path(telehealth.__file__).parent
CLIPS = [(language, name) for language, prompts in PROMPTS.items() for name in prompts]


@pytest.mark.parametrize(("language", "name"), CLIPS)
def test_every_prompt_is_a_clip_long_enough_for_its_words(language: str, name: str):
    raw = (PACKAGE / "web" / "static" / clip_path(language, name)).read_bytes()
    with av.open(io.BytesIO(raw)) as clip:
        seconds = sum(frame.samples / frame.sample_rate for frame in clip.decode(audio=0))
    words = len(PROMPTS[language][name].split())
    assert words * 0.15 < seconds < words * 0.8


def test_both_languages_say_the_same_screens_and_every_screen_has_its_words():
    pages = (PACKAGE / "kiosk" / "routes" / "pages.py").read_text(encoding="utf-8")
    said = set(re.findall(r'said="([a-z]+)"', pages)) | set(re.findall(r'"(emergency|help)" if', pages))
    assert said <= PROMPTS["vi"].keys()
    assert PROMPTS["vi"].keys() == PROMPTS["en"].keys()
