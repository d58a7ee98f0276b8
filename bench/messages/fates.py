"""What goes wrong at every provider, and how often."""

from bench.messages.provider import Provider

# The part of all sends that meets each fault.
SHARES = {
    "500": 0.03,
    "429": 0.02,
    "hang": 0.004,
    "hang-after-accept": 0.004,
    "drop": 0.01,
    "drop-after-accept": 0.01,
    "accept-then-500": 0.02,
    "late-accept": 0.01,
    "duplicate-receipts": 0.01,
    "no-receipts": 0.05,
}
# Beside these, so many messages are accepted later than anybody looks.
TOO_LATE = 0.002


def darken(provider: Provider, names: tuple[str, ...], *, seed: int, timeout: float, grace: float) -> None:
    """Let faults strike by chance; `timeout` and `grace` in seconds are the workers' policy."""
    spans = {"429": 1.0, "hang": timeout + 1.0, "hang-after-accept": timeout + 1.0}
    within_grace = {"late-accept": [0.1 * grace, 0.8 * grace]}
    for name in names:
        provider.weather(name, seed=str(seed), shares=SHARES, seconds={**spans, **within_grace})


def too_late(grace: float) -> float:
    """Return after how many seconds a message is accepted that has been given up and sent again."""
    return 2 * grace + 1.0
