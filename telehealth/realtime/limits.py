"""How much one socket may say."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run. Times are seconds of one monotonic clock."""

    per_second: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, per_second: float, burst: float, at: float) -> "TokenBucket":
        """Return a bucket nobody has drawn from."""
        return cls(per_second, burst, burst, at)

    def take(self, at: float) -> bool:
        """Draw one token at `at`; tell whether there was one."""
        self.tokens = min(self.burst, self.tokens + (at - self.at) * self.per_second)
        self.at = at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
