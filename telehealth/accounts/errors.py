"""What signing in may refuse."""

from telehealth.core.errors import Conflict, Forbidden, Gone, TooMany, Unauthenticated, Unprocessable


class WrongCode(Unauthenticated):
    """The one-time code is wrong, old, used, or of another challenge: never said which."""

    code = "wrong-code"


class WrongCredentials(Unauthenticated):
    """Login, password, PIN or second factor do not fit: never said which."""

    code = "wrong-credentials"


class SecondFactorNeeded(Unauthenticated):
    """The password fits; the six digits of the authenticator are missing."""

    code = "second-factor-needed"


class SetUpNeeded(Forbidden):
    """The password fits, but a new password or an authenticator must first be set on the staff page."""

    code = "sign-in-set-up-needed"


class FreshCodeNeeded(Forbidden):
    """What opens the account, or where its messages go, changes only just after a sign-in or a code."""

    code = "fresh-code-needed"


class AccountDisabled(Forbidden):
    """The account was closed."""

    code = "account-disabled"


class TooManyCodes(TooMany):
    """Codes were asked for too often, for this phone, from this address, or by everybody."""

    code = "too-many-codes"


class TooManySignIns(TooMany):
    """Too many wrong tries from this address."""

    code = "too-many-sign-ins"


class StepExpired(Gone):
    """The sign-in was begun too long ago."""

    code = "sign-in-step-expired"


class PinNotUsable(Unauthenticated):
    """The PIN opens nothing here any more: sign in with the password."""

    code = "pin-not-usable"


class WrongDeviceCode(Gone):
    """The enrolment code is wrong, old or used."""

    code = "wrong-device-code"


class LoginTaken(Conflict):
    """Another account has the login."""

    code = "login-taken"


class NoPhoneOnFile(Conflict):
    """A code cannot be sent: the account has no phone."""

    code = "no-phone-on-file"


class BadPassword(Unprocessable):
    """The password breaks the length rule or is one that everybody tries first."""

    code = "bad-password"


class BadPhone(Unprocessable):
    """Not a telephone number or e-mail address that a code can go to."""

    code = "bad-phone"
