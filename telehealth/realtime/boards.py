"""A facility's board as a stream: the last calls, then each event as it happens, numbered."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from telehealth.realtime.bus import Bus
from telehealth.realtime.feeds import Feed
from telehealth.realtime.sse import Subscriber, event, stream
from telehealth.realtime.store import BOARD_REPLAY, BoardEvent, Store

MAX_CODE = 64
SHOWN_CALLS = 5


class Boards:
    """The boards followed on this worker."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._feed: Feed[Subscriber] = Feed(bus, "board", self._read)

    async def open(self, facility_id: UUID, last_event_id: int | None) -> Subscriber:
        """Return a subscriber that stands where its page stands.

        A page that missed a few of today's events gets just those; a new page, one from another day or one
        that missed many gets the last calls as a `snapshot`.
        """
        head = await self._store.board_head(facility_id)
        if last_event_id is not None and head - BOARD_REPLAY <= last_event_id <= head:
            return Subscriber(last_event_id)
        subscriber = Subscriber(head)
        calls = await self._store.board_calls(facility_id)
        data = {"calls": [_shown(call) for call in last_calls(calls) if call.seq <= head]}
        subscriber.put(event("snapshot", data, event_id=head))
        return subscriber

    async def _read(self, facility_id: UUID, subscribers: frozenset[Subscriber]) -> None:
        while subscribers:
            after = min(subscriber.position for subscriber in subscribers)
            events = await self._store.board_events(facility_id, after=after)
            for board_event in events:
                _tell(board_event, subscribers)
            if len(events) <= BOARD_REPLAY:
                return

    def response(self, facility_id: UUID, subscriber: Subscriber) -> Response:
        """Return the stream."""
        return stream(self._feed.follow(facility_id, subscriber))

    def close(self) -> None:
        """End every stream."""
        self._feed.close()


def last_calls(calls: Sequence[BoardEvent]) -> list[BoardEvent]:
    """Return the last calls of different numbers, oldest first; a recall stands for the call before it."""
    by_number: dict[object, BoardEvent] = {}
    for call in reversed(calls):
        by_number.setdefault(call.body.get("number"), call)
    return list(by_number.values())[:SHOWN_CALLS][::-1]


def _tell(board_event: BoardEvent, subscribers: frozenset[Subscriber]) -> None:
    chunk = event(board_event.kind, _shown(board_event), event_id=board_event.seq)
    for subscriber in subscribers:
        if subscriber.position < board_event.seq:
            subscriber.position = board_event.seq
            subscriber.put(chunk)


def _shown(board_event: BoardEvent) -> dict[str, object]:
    return {**board_event.body, "seq": board_event.seq, "at": board_event.created_at.isoformat()}


def last_event_id(request: Request) -> int | None:
    """Return the number the client saw last; anything odd counts as nothing seen."""
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def board(request: Request) -> Response:
    """GET /rt/boards/{facility_code}: open to all, it shows numbers and rooms only."""
    realtime = request.app.state.realtime
    code = request.path_params["facility_code"]
    facility_id = await realtime.store.facility_id(code) if len(code) <= MAX_CODE else None
    if facility_id is None:
        return PlainTextResponse("no such board", status_code=404)
    subscriber = await realtime.boards.open(facility_id, last_event_id(request))
    opened: Response = realtime.boards.response(facility_id, subscriber)
    return opened
