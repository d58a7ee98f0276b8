"""How many come along, by whose word, and how many messages to strangers one account sets off."""

from telehealth.accounts.rules import Limit

MOST = 3
LONGEST_NAME = 100
TEXT_VERSION = "2026-11"  # the words of invitations-agree
RELATIONS = ("child", "spouse", "parent", "relative", "other")


def invite_limits(account_key: str, *, staff: bool) -> tuple[Limit, ...]:
    """Return the limits on inviting; a reception invites for many patients."""
    hour, day = (60, 300) if staff else (6, 12)
    return (
        Limit(f"invite:hour:{account_key}", hour, 3600),
        Limit(f"invite:day:{account_key}", day, 86_400),
    )
