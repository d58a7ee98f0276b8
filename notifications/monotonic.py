"""The one clock that durations are measured by."""

import time


def monotonic() -> float:
    """Seconds that also pass while the machine is suspended, so that an old lease is known to be old."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
