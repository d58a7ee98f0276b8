"""The parser takes any text."""

import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telehealth.realtime import protocol
from telehealth.realtime.protocol import ProtocolError, Relay

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
NAMES = [
    "type",
    "n",
    "to",
    "call",
    "sdp",
    "candidate",
    "mid",
    "line",
    "versions",
    "ticket",
    "resume",
    "how",
    "t",
]


def parse(message: Any) -> object:
    return protocol.parse(json.dumps(message))


@settings(max_examples=60, deadline=None)
@given(st.text() | st.binary())
def test_any_text_is_a_message_or_a_refusal(text: str | bytes) -> None:
    with suppress(ProtocolError):
        protocol.parse(text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(protocol.READERS)), st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_fields_are_a_message_or_a_refusal(kind: str, fields: dict[str, Any]) -> None:
    try:
        message = parse({**fields, "type": kind})
    except ProtocolError:
        return
    if isinstance(message, Relay):
        protocol.frame(message.kind, **message.payload).encode()


def test_a_candidate_is_read_field_by_field_and_nothing_else_passes() -> None:
    peer = uuid4()
    message = parse(
        {
            "type": "candidate",
            "n": 3,
            "to": str(peer),
            "call": 1,
            "candidate": "c",
            "mid": "0",
            "line": 0,
            "x": 1,
        }
    )
    assert message == Relay("candidate", 3, peer, {"call": 1, "candidate": "c", "mid": "0", "line": 0})


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "offer", "n": 1, "call": 1, "sdp": ""}, "bad-field:to"),
        ({"type": "offer", "n": 0, "to": str(uuid4()), "call": 1, "sdp": ""}, "bad-field:n"),
        ({"type": "offer", "n": True, "to": str(uuid4()), "call": 1, "sdp": ""}, "bad-field:n"),
        ({"type": "offer", "n": 1, "to": str(uuid4()), "call": 1, "sdp": "x" * 50_000}, "bad-field:sdp"),
        ({"type": "renegotiate", "n": 1, "to": str(uuid4()), "call": 1, "how": "shout"}, "bad-field:how"),
        ({"type": "state", "n": 1, "audio": 1, "video": False}, "bad-field:audio"),
        ({"type": "hello", "versions": [], "ticket": ""}, "bad-field:versions"),
        (
            {"type": "hello", "versions": [1], "ticket": "", "resume": {"client": "x", "seen": 1}},
            "bad-field:client",
        ),
        ({"type": ["offer"]}, "unknown-type"),
        ({"no": "type"}, "unknown-type"),
    ],
)
def test_a_bad_field_is_named(message: dict[str, Any], code: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        parse(message)
    assert refused.value.code == code


def test_half_a_surrogate_pair_is_refused_before_it_is_sent_on() -> None:
    with pytest.raises(ProtocolError):
        protocol.parse(f'{{"type":"offer","n":1,"to":"{uuid4()}","call":1,"sdp":"\\ud800"}}')


def test_numbers_that_are_not_json_are_refused() -> None:
    with pytest.raises(ProtocolError):
        protocol.parse('{"type":"ping","t":NaN}')


def test_a_frame_of_many_bytes_in_few_letters_is_too_large() -> None:
    with pytest.raises(ProtocolError) as refused:
        protocol.parse('{"type":"ping","x":"' + "ệ" * 30_000 + '"}')
    assert refused.value.code == "too-large"
