"""What passkeys may refuse."""

from telehealth.core.errors import Conflict, NotFound, Unauthenticated, Unprocessable


class PasskeyRefused(Unauthenticated):
    """The passkey opens nothing here: unknown, old challenge, wrong signature. Never said which."""

    code = "passkey-refused"


class PasskeyNotAdded(Unprocessable):
    """The browser's answer does not fit what was asked."""

    code = "passkey-not-added"


class PasskeyNotFound(NotFound):
    """No such passkey of the caller's."""

    code = "passkey-not-found"


class PasskeysUnusable(Conflict):
    """Browsers allow passkeys only where a site has a name and HTTPS (or is localhost)."""

    code = "passkeys-unusable"


class TooManyPasskeys(Conflict):
    """More than a person has devices."""

    code = "too-many-passkeys"
