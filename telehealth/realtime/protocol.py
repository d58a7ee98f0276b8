"""Signalling protocol, version 1: what a client may send and what it is told.

The protocol is written down in docs/signalling-protocol.md.

Parsing is pure and total: any text either becomes one of the message types or raises ProtocolError.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NoReturn
from uuid import UUID

VERSION = 1
MAX_FRAME = 64 * 1024
MAX_DEPTH = 6
MAX_SDP = 48 * 1024
MAX_CANDIDATE = 2048
MAX_NUMBER = 2**53 - 1


class Fault(StrEnum):
    """Whose fault an error is: what the reader of a log or the page's author should look at."""

    CLIENT = "client"
    ROOM = "room"
    SERVER = "server"


class Close(IntEnum):
    """WebSocket close codes; 4000-4999 is the range for applications."""

    NORMAL = 1000
    RESTART = 1012
    TRY_LATER = 1013
    PROTOCOL = 4000
    TICKET = 4001
    REPLACED = 4003
    ENDED = 4004
    SILENT = 4008
    RATE = 4009
    FULL = 4010


class ProtocolError(Exception):
    """A frame or a request that is refused.

    `code` is stable. A fatal error closes the socket with `close`; another leaves it open.
    """

    def __init__(
        self, code: str, fault: Fault = Fault.CLIENT, close: Close | None = None, n: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.fault = fault
        self.close = close
        self.n = n


@dataclass(frozen=True, slots=True)
class Resume:
    """A page that was here before: its client id and the last number it saw."""

    client: UUID
    seen: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of every socket."""

    versions: tuple[int, ...]
    ticket: str
    resume: Resume | None


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life; `t` comes back in the pong."""

    t: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Something for another client of the room (or, with no `to`, for all of them).

    `n` is the sender's own number: the server takes each number once, in rising order.
    """

    kind: str
    n: int
    to: UUID | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leave:
    """The person goes; the seat is free at once."""


ClientMessage = Hello | Ping | Relay | Leave
Fields = dict[str, Any]


def parse(text: str | bytes) -> ClientMessage:
    """Return the message in one frame, or raise ProtocolError with the client's fault."""
    fields = _object(text)
    kind = fields.pop("type", None)
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ProtocolError("unknown-type")
    return reader(fields)


def _object(text: str | bytes) -> Fields:
    if isinstance(text, bytes):
        raise ProtocolError("not-text", close=Close.PROTOCOL)
    if len(text) > MAX_FRAME:
        raise ProtocolError("too-large", close=Close.PROTOCOL)
    try:
        if len(text.encode()) > MAX_FRAME:
            raise ProtocolError("too-large", close=Close.PROTOCOL)
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ProtocolError("too-deep", close=Close.PROTOCOL) from error
    except ValueError as error:
        raise ProtocolError("not-json", close=Close.PROTOCOL) from error
    if not isinstance(value, dict):
        raise ProtocolError("not-an-object", close=Close.PROTOCOL)
    if _depth(value) > MAX_DEPTH:
        raise ProtocolError("too-deep", close=Close.PROTOCOL)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _depth(value: object) -> int:
    """Return the nesting of lists and objects, without recursion."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, depth)
            pending += [(child, depth + 1) for child in (node.values() if isinstance(node, dict) else node)]
    return deepest


def _hello(fields: Fields) -> Hello:
    versions = fields.get("versions")
    if not isinstance(versions, list) or not 1 <= len(versions) <= 16:
        raise ProtocolError("bad-field:versions", close=Close.PROTOCOL)
    resume = fields.get("resume")
    return Hello(
        versions=tuple(_integer({"versions": version}, "versions") for version in versions),
        ticket=_text(fields, "ticket", MAX_CANDIDATE),
        resume=None if resume is None else _resume(resume),
    )


def _resume(value: object) -> Resume:
    if not isinstance(value, dict):
        raise ProtocolError("bad-field:resume")
    return Resume(client=_uuid(value, "client"), seen=_integer(value, "seen"))


def _ping(fields: Fields) -> Ping:
    return Ping(t=_integer(fields, "t"))


def _leave(_: Fields) -> Leave:
    return Leave()


def _relay(kind: str, payload: Callable[[Fields], Fields], *, addressed: bool) -> Callable[[Fields], Relay]:
    def read(fields: Fields) -> Relay:
        to = _uuid(fields, "to") if addressed or fields.get("to") is not None else None
        return Relay(kind=kind, n=_integer(fields, "n", least=1), to=to, payload=payload(fields))

    return read


def _description(fields: Fields) -> Fields:
    return {"call": _integer(fields, "call", least=1), "sdp": _text(fields, "sdp", MAX_SDP)}


def _candidate(fields: Fields) -> Fields:
    """An empty candidate string means that side has no more."""
    line = fields.get("line")
    mid = fields.get("mid")
    return {
        "call": _integer(fields, "call", least=1),
        "candidate": _text(fields, "candidate", MAX_CANDIDATE),
        "mid": None if mid is None else _text(fields, "mid", 64),
        "line": None if line is None else _integer(fields, "line"),
    }


def _renegotiate(fields: Fields) -> Fields:
    how = _text(fields, "how", 16)
    if how not in {"restart", "renew"}:
        raise ProtocolError("bad-field:how")
    return {"call": _integer(fields, "call"), "how": how}


def _state(fields: Fields) -> Fields:
    return {"audio": _flag(fields, "audio"), "video": _flag(fields, "video")}


READERS: Mapping[str, Callable[[Fields], ClientMessage]] = {
    "hello": _hello,
    "ping": _ping,
    "leave": _leave,
    "offer": _relay("offer", _description, addressed=True),
    "answer": _relay("answer", _description, addressed=True),
    "candidate": _relay("candidate", _candidate, addressed=True),
    "renegotiate": _relay("renegotiate", _renegotiate, addressed=True),
    "state": _relay("state", _state, addressed=False),
}
"""One reader per message type; a new type is a new line here and a handler in signalling.py."""


def _text(fields: Fields, name: str, longest: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > longest or not _is_unicode(value):
        raise ProtocolError(f"bad-field:{name}")
    return value


def _is_unicode(value: str) -> bool:
    """JSON escapes can smuggle half a surrogate pair, which cannot be sent on."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(fields: Fields, name: str, *, least: int = 0) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_NUMBER:
        raise ProtocolError(f"bad-field:{name}")
    return value


def _flag(fields: Fields, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise ProtocolError(f"bad-field:{name}")
    return value


def _uuid(fields: Fields, name: str) -> UUID:
    try:
        return UUID(_text(fields, name, 36))
    except ValueError as error:
        raise ProtocolError(f"bad-field:{name}") from error


def chosen_version(versions: tuple[int, ...]) -> int:
    """Return the version both sides speak, or raise ProtocolError."""
    if VERSION not in versions:
        raise ProtocolError("version-unsupported", close=Close.PROTOCOL)
    return VERSION


def frame(kind: str, /, **fields: Any) -> str:
    """Return one server message as text."""
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))


def error_frame(error: ProtocolError) -> str:
    """Return the message that tells a client it was refused, why, and whose fault that is."""
    told: dict[str, Any] = {"code": error.code, "fault": error.fault.value, "fatal": error.close is not None}
    if error.n is not None:
        told["n"] = error.n
    if error.code == "version-unsupported":
        told["supported"] = [VERSION]
    return frame("error", **told)
