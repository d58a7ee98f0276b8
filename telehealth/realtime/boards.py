"""Boards as streams, of a facility or of an area: the last calls, then each event as it happens, numbered."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from telehealth.boards.speech import spoken
from telehealth.directory.codes import ServicePointKind
from telehealth.realtime.bus import Bus
from telehealth.realtime.feeds import Feed
from telehealth.realtime.sse import Subscriber, event, stream
from telehealth.realtime.store import BOARD_REPLAY, BoardArea, BoardEvent, Store

MAX_CODE = 64
SHOWN_CALLS = 5
SHOWN_MISSED = 8
STILL_SPOKEN = timedelta(minutes=3)
"""As the board's page has it (STALE_MS): a call that is older is shown, and no longer spoken."""
_OF_A_CALL = ("called", "withdrawn")


class Screen(Subscriber):
    """One stream of one board; `area` None shows the whole facility."""

    def __init__(self, position: int, area: BoardArea | None = None) -> None:
        super().__init__(position)
        self.area = area

    def sees(self, told: BoardEvent) -> bool:
        """Tell whether this board shows an event."""
        if told.kind == "area":
            return self.area is not None and told.body.get("area") == self.area.code
        return (
            self.area is None or told.queue_id in self.area.queues or told.service_point_id in self.area.rooms
        )

    def tell(self, told: BoardEvent, chunk: bytes) -> None:
        """Pass an event on, once; a board whose area changed comes back and is given what it shows now."""
        if self.position >= told.seq:
            return
        self.position = told.seq
        if self.sees(told):
            self.put(chunk)
            if told.kind == "area":
                self.end()


class Boards:
    """The boards followed on this worker."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._feed: Feed[Screen] = Feed(bus, "board", self._read)

    async def open(self, facility_id: UUID, area: BoardArea | None, last_event_id: int | None) -> Screen:
        """Return a subscriber that stands where its page stands.

        A page that missed a few of today's events gets just those; a new page gets the last calls as a
        `snapshot`. One that missed many gets in it besides whoever was called meanwhile, and not long ago.
        """
        head = await self._store.board_head(facility_id)
        since = head
        if last_event_id is not None and last_event_id <= head:
            missed = await self._store.board_events(facility_id, after=last_event_id, area=area)
            if len(missed) <= BOARD_REPLAY:
                screen = Screen(last_event_id, area)
                for told in missed:
                    screen.tell(told, _chunk(told))
                screen.position = max(screen.position, head)
                return screen
            since = last_event_id
        screen = Screen(head, area)
        shown = [told for told in await self._store.board_last(facility_id, area) if told.seq <= head]
        calls = last_calls(shown, since=since)
        data = {"calls": [_shown(call) for call in calls], "missed": missed_numbers(shown)}
        screen.put(event("snapshot", data, event_id=head))
        return screen

    async def _read(self, facility_id: UUID, screens: frozenset[Screen]) -> None:
        while screens:
            after = min(screen.position for screen in screens)
            events = await self._store.board_events(facility_id, after=after)
            for told in events:
                chunk = _chunk(told)
                for screen in screens:
                    screen.tell(told, chunk)
            if len(events) <= BOARD_REPLAY:
                return

    def response(self, facility_id: UUID, screen: Screen) -> Response:
        """Return the stream."""
        return stream(self._feed.follow(facility_id, screen))

    def close(self) -> None:
        """End every stream."""
        self._feed.close()


def last_calls(events: Sequence[BoardEvent], *, since: int) -> list[BoardEvent]:
    """Return the last calls of different numbers, oldest first; a recall stands for the call before it.

    The last few; and of those after the event `since` all who are still expected and whose call is as young
    as one that is still spoken.
    """
    by_number: dict[object, BoardEvent] = {}
    for told in reversed(events):
        if told.kind in _OF_A_CALL:
            by_number.setdefault(told.body.get("number"), told)
    calls = [told for told in by_number.values() if told.kind == "called"]
    absent = set(_absent(events))
    young = events[-1].created_at - STILL_SPOKEN if events else None
    return [
        call
        for place, call in enumerate(calls)
        if place < SHOWN_CALLS
        or (call.seq > since and young and call.created_at > young and call.body.get("number") not in absent)
    ][::-1]


def missed_numbers(events: Sequence[BoardEvent]) -> list[object]:
    """Return the numbers of which the last word is that they did not come, newest first."""
    return _absent(events)[:SHOWN_MISSED]


def _absent(events: Sequence[BoardEvent]) -> list[object]:
    last: dict[object, str] = {}
    for told in reversed(events):
        last.setdefault(told.body.get("number"), told.kind)
    return [number for number, kind in last.items() if kind == "missed"]


def _chunk(told: BoardEvent) -> bytes:
    return event(told.kind, _shown(told), event_id=told.seq)


def _shown(told: BoardEvent) -> dict[str, object]:
    shown: dict[str, object] = {**told.body, "seq": told.seq, "at": told.created_at.isoformat()}
    if told.queue_id is not None:
        shown["queue"] = told.queue_id
    if told.kind == "called" and "place" in told.body:
        kind = ServicePointKind(told.body["place"])
        shown["say"] = spoken(str(told.body["number"]), kind, str(told.body["door"]))
    return shown


def last_event_id(request: Request) -> int | None:
    """Return the number the client saw last; anything odd counts as nothing seen."""
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def board(request: Request) -> Response:
    """GET /rt/boards/{facility_code}[/{area_code}]: open to all, it shows numbers and rooms only."""
    realtime = request.app.state.realtime
    code, area_code = request.path_params["facility_code"], request.path_params.get("area_code")
    facility_id = await realtime.store.facility_id(code) if _is_code(code) else None
    area = None
    if facility_id is not None and area_code is not None:
        area = await realtime.store.board_area(facility_id, area_code) if _is_code(area_code) else None
    if facility_id is None or (area_code is not None and area is None):
        return PlainTextResponse("no such board", status_code=404)
    screen = await realtime.boards.open(facility_id, area, last_event_id(request))
    opened: Response = realtime.boards.response(facility_id, screen)
    return opened


def _is_code(text: str) -> bool:
    return len(text) <= MAX_CODE and "\0" not in text
