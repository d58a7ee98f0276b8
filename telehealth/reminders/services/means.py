"""What writing a message takes."""

from dataclasses import dataclass

from notifications import Outbox
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher


@dataclass(frozen=True, slots=True)
class Means:
    """The keys, the outbox, and what writes links."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks
