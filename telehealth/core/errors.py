"""The refusals a caller can act on. Anything else is a bug and becomes a 500.

`code` is stable and part of the API; its text is the Fluent message `error-<code>` in each
language. `params` fill that text; `extra` members join the problem document (RFC 9457).
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal the caller should see."""

    code: ClassVar[str]

    def __init__(self, *, extra: Mapping[str, Any] | None = None, **params: str | int) -> None:
        super().__init__(self.code)
        self.params = params
        self.extra = dict(extra or {})


class BadRequest(DomainError):
    """The request cannot be understood."""

    code = "bad-request"


class Unauthenticated(DomainError):
    """Nobody is signed in, or not any more."""

    code = "not-signed-in"


class Forbidden(DomainError):
    """The caller is known but may not do this."""

    code = "forbidden"


class NotFound(DomainError):
    """Nothing by that name that this caller may see."""

    code = "not-found"


class Conflict(DomainError):
    """The world moved on; the same request will not help."""

    code = "conflict"


class Gone(DomainError):
    """It was here, and its time is over."""

    code = "gone"


class PreconditionFailed(DomainError):
    """If-Match names an older version (RFC 9110, 13.1.1)."""

    code = "stale-version"


class PreconditionRequired(DomainError):
    """A change must say which version it changes (RFC 6585, 3)."""

    code = "version-required"


class TooLarge(DomainError):
    """The body is larger than this route takes."""

    code = "too-large"


class UnsupportedMedia(DomainError):
    """The body is of a kind this route does not read."""

    code = "unsupported-media"


class Unprocessable(DomainError):
    """Understood, but a value is wrong. `fields` maps a field to its message keys."""

    code = "invalid"

    def __init__(
        self,
        fields: Mapping[str, list[str]] | None = None,
        *,
        extra: Mapping[str, Any] | None = None,
        **params: str | int,
    ) -> None:
        super().__init__(extra=extra, **params)
        self.fields = dict(fields or {})


class Locked(DomainError):
    """Held by someone else for the moment."""

    code = "locked"


class TooMany(DomainError):
    """Too often; `retry_after` is in seconds."""

    code = "too-many"

    def __init__(
        self, retry_after: int = 60, *, extra: Mapping[str, Any] | None = None, **params: str | int
    ) -> None:
        super().__init__(extra=extra, **params)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A thing this needs is away; try again."""

    code = "unavailable"


STATUS: Mapping[type[DomainError], int] = {
    BadRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    UnsupportedMedia: 415,
    Unprocessable: 422,
    Locked: 423,
    PreconditionRequired: 428,
    TooMany: 429,
    Unavailable: 503,
}


def http_status(error: DomainError) -> int:
    """Return the status of the kind of refusal."""
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))
