"""What the product asks of a media engine, whichever one serves."""

from dataclasses import dataclass
from typing import Protocol


class MediaRefused(Exception):
    """The engine does not take this on; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Load:
    """How busy an engine is."""

    connections: int
    capacity: int


class MediaEngine(Protocol):
    """One media process."""

    async def answer_test(self, offer_sdp: str) -> str:
        """Return the SDP answer of a test peer that sends back what it gets, for a short while.

        Raises MediaRefused: `bad-offer` for what is no offer, `media-full` at capacity.
        """
        ...

    def load(self) -> Load:
        """Return how busy the engine is now."""
        ...

    async def close(self) -> None:
        """Let everybody go."""
        ...
