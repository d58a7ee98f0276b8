"""Why a link opens nothing."""

from telehealth.core.errors import NotFound


class AnswerLinkUnknown(NotFound):
    """Not a link that we wrote, or about a time long changed."""

    code = "answer-link-unknown"
