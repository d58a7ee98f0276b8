"""Spoken words as small sound files, for the programs that render them: what espeak-ng reads out, as MP3."""

import io
import subprocess
import wave
from array import array

import av

BIT_RATE = 32_000


def spoken(voice: str, words: str, words_a_minute: int) -> "tuple[int, array[int]]":
    """Return the rate of the samples and these. Raises FileNotFoundError without espeak-ng."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdin", "--stdout"]
    raw = subprocess.run(command, input=words.encode(), capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(raw)) as sound:
        # A pipe has no length: its header promises more than comes.
        return sound.getframerate(), array("h", sound.readframes((len(raw) - 44) // 2))


def mp3(rate: int, samples: "array[int]") -> bytes:
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
