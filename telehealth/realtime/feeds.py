"""Topics and their followers: one reader per topic and worker, however many streams follow it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from telehealth.realtime.bus import Bus, Refresher
from telehealth.realtime.sse import Subscriber

S = TypeVar("S", bound=Subscriber)

Read = Callable[[UUID, frozenset[S]], Awaitable[None]]
"""Reads what is new in a topic and puts it to these subscribers."""


@dataclass(slots=True)
class _Followed(Generic[S]):
    subscribers: set[S]
    refresher: Refresher
    task: asyncio.Task[None]


class Feed(Generic[S]):
    """All topics of one channel that this worker has followers of."""

    def __init__(self, bus: Bus, channel: str, read: Read[S]) -> None:
        self._bus = bus
        self._channel = channel
        self._read = read
        self._topics: dict[UUID, _Followed[S]] = {}
        self._closed = False

    async def follow(self, topic: UUID, subscriber: S) -> AsyncIterator[bytes]:
        """Yield the subscriber's events until its client goes or the process ends."""
        self._add(topic, subscriber)
        try:
            async for chunk in subscriber.chunks():
                yield chunk
        finally:
            self._remove(topic, subscriber)

    def _add(self, topic: UUID, subscriber: S) -> None:
        followed = self._topics.get(topic)
        if followed is None:
            followed = self._topics[topic] = self._begin(topic)
        followed.subscribers.add(subscriber)
        followed.refresher.hint()
        if self._closed:
            subscriber.end()

    def _begin(self, topic: UUID) -> _Followed[S]:
        subscribers: set[S] = set()

        async def refresh() -> None:
            await self._read(topic, frozenset(subscribers))

        refresher = Refresher(refresh)
        self._bus.subscribe(self._channel, str(topic), refresher.hint)
        task = asyncio.create_task(refresher.run(), name=f"{self._channel} {topic}")
        return _Followed(subscribers, refresher, task)

    def _remove(self, topic: UUID, subscriber: S) -> None:
        followed = self._topics[topic]
        followed.subscribers.discard(subscriber)
        if not followed.subscribers:
            self._bus.unsubscribe(self._channel, str(topic), followed.refresher.hint)
            followed.refresher.stop()
            del self._topics[topic]

    def close(self) -> None:
        """End every stream, and each that begins after."""
        self._closed = True
        for followed in self._topics.values():
            for subscriber in followed.subscribers:
                subscriber.end()
