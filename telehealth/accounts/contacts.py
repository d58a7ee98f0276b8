"""Where a person is reached to prove who they are: a telephone or an e-mail address."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from telehealth.accounts.rules import code_phone_fault
from telehealth.core.crypto import FieldCipher
from telehealth.core.email import masked_email, normalise_email
from telehealth.core.phone import normalise_phone

PHONE_INDEX = "account.phone"


@dataclass(frozen=True, slots=True)
class Contact:
    """One address: a telephone in E.164, or an e-mail address in small letters."""

    kind: Literal["phone", "email"]
    value: str

    @property
    def ending(self) -> str:
        """Return what its owner knows it by."""
        return self.value[-3:] if self.kind == "phone" else masked_email(self.value)

    def index(self, cipher: FieldCipher) -> bytes:
        """Return what an account is found by."""
        return cipher.index_text(self.value, f"account.{self.kind}")

    def columns(self, table: str, row_id: UUID, cipher: FieldCipher) -> dict[str, bytes | None]:
        """Return the sealed value and its index, as tables with both kinds keep them."""
        return {
            f"{self.kind}_sealed": cipher.seal_text(self.value, f"{table}.{self.kind}:{row_id}"),
            f"{self.kind}_index": self.index(cipher),
        }


def read_contact(text: str) -> Contact | None:
    """Return what was typed; with an @ it is an e-mail address. None for neither."""
    if "@" in text:
        address = normalise_email(text)
        return None if address is None else Contact("email", address)
    number = normalise_phone(text)
    return None if number is None else Contact("phone", number)


def contact_fault(text: str) -> str | None:
    """Return the message key of why no code can go there, or None."""
    if "@" in text:
        return None if normalise_email(text) else "accounts-email-wrong"
    return code_phone_fault(normalise_phone(text))


def opened_contact(
    phone_sealed: bytes | None, email_sealed: bytes | None, table: str, row_id: UUID, cipher: FieldCipher
) -> Contact | None:
    """Return the address that a row keeps, the telephone first."""
    phone = cipher.open_text(phone_sealed, f"{table}.phone:{row_id}")
    if phone is not None:
        return Contact("phone", phone)
    email = cipher.open_text(email_sealed, f"{table}.email:{row_id}")
    return None if email is None else Contact("email", email)


def ending_of(text: str) -> str:
    """Return what the owner of a typed address knows it by; nothing for one that is none."""
    contact = read_contact(text)
    return "" if contact is None else contact.ending
