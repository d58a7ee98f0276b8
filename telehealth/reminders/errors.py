"""Refusals of the webhooks."""

from telehealth.core.errors import Forbidden


class UnsignedWebhook(Forbidden):
    """The call does not bear the provider's signature, or is too old."""

    code = "unsigned-webhook"
