"""A queue ticket's place as a stream of hints: something changed, read the ticket again."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from telehealth.realtime.bus import Bus
from telehealth.realtime.feeds import Feed
from telehealth.realtime.sse import Subscriber, event, stream
from telehealth.realtime.store import Store, TicketPlace

MAX_TOKEN = 128


class Follower(Subscriber):
    """One stream of one ticket."""

    def __init__(self, place: TicketPlace) -> None:
        super().__init__()
        self.ticket_id = place.id


class Tickets:
    """The queues followed on this worker, ticket by ticket."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._feed: Feed[Follower] = Feed(bus, "queue", self._read)

    async def _read(self, queue_id: UUID, followers: frozenset[Follower]) -> None:
        statuses = await self._store.ticket_statuses([follower.ticket_id for follower in followers])
        for follower in followers:
            status = statuses.get(follower.ticket_id)
            if status is None:
                follower.end()
            else:
                follower.put(event("changed", {"status": status}))

    def response(self, place: TicketPlace) -> Response:
        """Return the stream; its first event comes at once."""
        return stream(self._feed.follow(place.queue_id, Follower(place)))

    def close(self) -> None:
        """End every stream."""
        self._feed.close()


async def ticket(request: Request) -> Response:
    """GET /rt/tickets/{public_token}: whoever holds the slip may follow its number."""
    realtime = request.app.state.realtime
    token = request.path_params["public_token"]
    place = await realtime.store.ticket(token) if len(token) <= MAX_TOKEN else None
    if place is None:
        return PlainTextResponse("no such ticket", status_code=404)
    opened: Response = realtime.tickets.response(place)
    return opened
