"""The one way this package says that it cannot go on."""


class Refusal(Exception):
    """Something outside stands in the way; the text is one sentence that tells what to do about it."""
