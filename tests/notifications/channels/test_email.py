"""E-mail: what a letter holds, and how far a conversation with a mail server came."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifications.channels.base import Accepted, Ambiguous, Outcome, Outgoing, Rejected, Retry, Scope
from notifications.channels.email.account import EmailAccount, read
from notifications.channels.email.channel import Relay, SmtpEmail
from notifications.channels.email.letter import letter
from notifications.environment import BadNotificationSettings
from notifications.kinds import KINDS, LANGUAGES
from tests.notifications.channels.certificates import self_signed
from tests.notifications.channels.conftest import KEY
from tests.notifications.channels.local_mail import CUT, LocalMail, local_mail

Build = Callable[..., Outgoing]
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
SENDER = "Sở Y tế tỉnh <thong-bao@syt.example.vn>"
READER = "ba.sau@example.com"
MUTE = "https://kham.example.vn/thong-bao/abc"


def email(mail: LocalMail, **changed: Any) -> SmtpEmail:
    relay = Relay("127.0.0.1", mail.port, **changed)
    return SmtpEmail(relay, SENDER, timeout=1.0)


def test_a_letter_says_the_same_in_plain_text_and_in_html(outgoing: Build) -> None:
    with local_mail() as mail:
        sent = email(mail).send(outgoing(address=READER, unsubscribe_url=MUTE), KEY)
    assert sent == Accepted(ref=f"<{KEY}@syt.example.vn>")
    (received,) = mail.letters
    assert [line.split(" ")[0] for line in mail.heard] == ["ehlo", "mail", "rcpt", "data", "quit"]
    assert mail.heard[:3] == [
        "ehlo syt.example.vn",
        "mail FROM:<thong-bao@syt.example.vn>",
        f"rcpt TO:<{READER}>",
    ]
    assert str(received["From"]) == SENDER.replace("<", "<")
    assert received["Subject"] == "Đã đặt lịch khám"
    assert received["Message-ID"] == f"<{KEY}@syt.example.vn>"
    assert received["Date"] == "Mon, 30 Nov 2026 01:00:00 +0000"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["List-Unsubscribe"] == f"<{MUTE}>"
    assert received["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, html = received.get_body(("plain",)), received.get_body(("html",))
    assert plain is not None
    assert html is not None
    for body in (plain.get_content(), html.get_content()):
        for words in (
            "BV Bà Rịa",
            "08:30 (giờ Việt Nam) thứ Ba 24/11",
            "482913",
            "http://127.0.0.1:8000/j/abc",
            MUTE,
        ):
            assert words in body
    assert '<html lang="vi">' in html.get_content()
    assert '<th scope="row"' in html.get_content()


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_becomes_a_letter_that_loads_nothing_and_runs_nothing(
    outgoing: Build, kind: str, language: str
) -> None:
    written = letter(outgoing(kind, language, address=READER), KEY, sender=SENDER)
    html = written.get_body(("html",))
    assert html is not None
    content = html.get_content()
    assert not [word for word in ("<img", "<script", "<link", "src=", "@import", "url(") if word in content]
    assert written.as_bytes().isascii()
    assert max(len(line) for line in written.as_bytes().splitlines()) <= 998
    assert "List-Unsubscribe" not in written


def test_values_are_written_as_text_and_never_as_a_header_or_as_html(outgoing: Build) -> None:
    params = dict(outgoing().params) | {"facility": "<b>BV</b>\r\nBcc: x@example.com", "link": "javascript:1"}
    written = letter(outgoing(address=READER, params=params), KEY, sender=SENDER)
    html = written.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;BV&lt;/b&gt; Bcc: x@example.com" in html.get_content()
    assert "href" not in html.get_content()
    assert "Bcc" not in written


def test_an_address_without_https_offers_no_one_click(outgoing: Build) -> None:
    plain = "http://127.0.0.1:8000/thong-bao/abc"
    written = letter(outgoing(address=READER, unsubscribe_url=plain), KEY, sender=SENDER)
    assert written["List-Unsubscribe"] == f"<{plain}>"
    assert "List-Unsubscribe-Post" not in written


@pytest.mark.parametrize(
    "address",
    ["", "x", "x@y", "x@example.com\r\nRCPT TO:<z@example.com>", "á@example.com", "a b@example.com"],
)
def test_what_is_no_address_is_not_written_to(outgoing: Build, address: str) -> None:
    with local_mail() as mail:
        assert email(mail).send(outgoing(address=address), KEY) == Rejected("address", Scope.RECIPIENT)
    assert mail.heard == []


DOWN = Retry("unreachable", down=True)


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ({"greeting": CUT}, DOWN),
        ({"greeting": "554 no"}, Rejected("554", Scope.CONFIG)),
        ({"greeting": "421 4.3.2 later"}, Retry("421", crowded=True)),
        ({"EHLO": CUT}, DOWN),
        ({"MAIL": "550 5.7.1 who are you"}, Rejected("550", Scope.CONFIG)),
        ({"MAIL": "451 4.3.0 later"}, Retry("451")),
        ({"MAIL": CUT}, DOWN),
        ({"RCPT": "550 5.1.1 no such mailbox"}, Rejected("550", Scope.RECIPIENT)),
        ({"RCPT": "550 no such mailbox"}, Rejected("550", Scope.RECIPIENT)),
        ({"RCPT": "550 5.7.1 blocked by policy"}, Rejected("550", Scope.CONFIG)),
        ({"RCPT": "552 5.2.2 mailbox full"}, Rejected("552", Scope.TEMPLATE)),
        ({"RCPT": "550 5.9.9 what is this"}, Rejected("550", Scope.RECIPIENT)),
        ({"RCPT": "599 5.9.9 what is this"}, Rejected("599", Scope.TEMPLATE)),
        ({"RCPT": "450 4.2.1 busy"}, Retry("450")),
        ({"RCPT": CUT}, DOWN),
        ({"DATA": "554 5.7.1 no"}, Rejected("554", Scope.CONFIG)),
        ({"DATA": "452 4.3.1 no room"}, Retry("452")),
        ({"DATA": CUT}, Ambiguous("SMTPServerDisconnected")),
        ({"text": "554 5.6.0 odd letter"}, Rejected("554", Scope.TEMPLATE)),
        ({"text": "451 4.3.0 later"}, Retry("451")),
        ({"text": "junk"}, Ambiguous("answer -1")),
        ({"text": CUT}, Ambiguous("SMTPServerDisconnected")),
        ({"QUIT": CUT}, Accepted(f"<{KEY}@syt.example.vn>")),
    ],
)
def test_how_far_the_conversation_came_decides(
    outgoing: Build, says: dict[str, str], outcome: Outcome
) -> None:
    with local_mail(says=says) as mail:
        assert email(mail).send(outgoing(address=READER), KEY) == outcome


def test_where_nobody_listens_nothing_was_sent(outgoing: Build) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = LocalMail(closed.getsockname()[1])
    assert email(nobody).send(outgoing(address=READER), KEY) == DOWN


def test_the_whole_conversation_has_one_timeout(outgoing: Build) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        relay = Relay("127.0.0.1", silent.getsockname()[1])
        slow = SmtpEmail(relay, SENDER, timeout=0.2)
        assert slow.send(outgoing(address=READER), KEY) == DOWN


def test_tls_is_used_where_it_is_offered(outgoing: Build, tmp_path: Path) -> None:
    with local_mail(extensions=("STARTTLS", "AUTH PLAIN"), certificate=self_signed(tmp_path)) as mail:
        sent = email(mail, user="thu", password="mat").send(outgoing(address=READER), KEY)
    assert isinstance(sent, Accepted)
    verbs = [line.split(" ")[0].upper() for line in mail.heard]
    assert verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]


def test_a_wrapped_connection_logs_in(outgoing: Build, tmp_path: Path) -> None:
    with local_mail(extensions=("AUTH PLAIN",), certificate=self_signed(tmp_path), wrapped=True) as mail:
        sent = email(mail, wrapped=True, user="thu", password="mat").send(outgoing(address=READER), KEY)
    assert isinstance(sent, Accepted)
    assert mail.heard[1].startswith("AUTH PLAIN ")


@pytest.mark.parametrize(
    ("says", "extensions", "outcome"),
    [
        ({"AUTH": "535 5.7.8 wrong"}, ("AUTH PLAIN",), Rejected("535", Scope.CONFIG)),
        ({"AUTH": "454 4.7.0 later"}, ("AUTH PLAIN",), Retry("454")),
        ({}, (), Rejected("tls", Scope.CONFIG)),
    ],
)
def test_a_login_that_fails_rests_the_provider(
    outgoing: Build, says: dict[str, str], extensions: tuple[str, ...], outcome: Outcome
) -> None:
    with local_mail(says=says, extensions=extensions) as mail:
        assert email(mail, user="thu", password="mat").send(outgoing(address=READER), KEY) == outcome


class Distant(Relay):
    """A relay that is not taken for this machine."""

    @property
    def on_loopback(self) -> bool:
        return False


@pytest.mark.parametrize("extensions", [(), ("STARTTLS",)])
def test_off_this_machine_a_password_needs_tls_with_a_good_certificate(
    outgoing: Build, tmp_path: Path, extensions: tuple[str, ...]
) -> None:
    with local_mail(extensions=extensions, certificate=self_signed(tmp_path)) as mail:
        relay = Distant("127.0.0.1", mail.port, user="thu", password="mat")
        channel = SmtpEmail(relay, SENDER, timeout=1.0)
        assert channel.send(outgoing(address=READER), KEY) == Rejected("tls", Scope.CONFIG)
    assert not [line for line in mail.heard if line.upper().startswith("AUTH")]


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.0.0.1", True), ("::1", True), ("mail.example.vn", False)]
)
def test_loopback_is_known_by_its_address(host: str, here: bool) -> None:
    assert Relay(host, 25).on_loopback is here


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://127.0.0.1:2525", Relay("127.0.0.1", 2525)),
        ("smtp://mail.example.vn", Relay("mail.example.vn", 25)),
        ("smtp://thu:m%40t@mail.example.vn", Relay("mail.example.vn", 587, False, "thu", "m@t")),
        ("smtps://thu:mat@mail.example.vn/", Relay("mail.example.vn", 465, True, "thu", "mat")),
    ],
)
def test_a_mail_server_is_named_by_one_address(url: str, relay: Relay) -> None:
    assert read({"SMTP_URL": url, "SMTP_FROM": SENDER}) == EmailAccount(relay, SENDER)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"SMTP_URL": "http://mail.example.vn", "SMTP_FROM": SENDER}, "SMTP_URL must look like"),
        ({"SMTP_URL": "smtp://", "SMTP_FROM": SENDER}, "SMTP_URL must look like"),
        ({"SMTP_URL": "smtp://a@mail.example.vn", "SMTP_FROM": SENDER}, "SMTP_URL must look like"),
        ({"SMTP_URL": "smtp://mail.example.vn:x", "SMTP_FROM": SENDER}, "SMTP_URL must look like"),
        ({"SMTP_URL": "smtp://mail.example.vn/x", "SMTP_FROM": SENDER}, "SMTP_URL must look like"),
        ({"SMTP_URL": "smtp://thu:m%E1%BA%ADt@mail.example.vn", "SMTP_FROM": SENDER}, "plain letters"),
        ({"SMTP_URL": "smtp://mail.example.vn"}, "SMTP_FROM must look like"),
        ({"SMTP_URL": "smtp://mail.example.vn", "SMTP_FROM": "Sở Y tế"}, "SMTP_FROM must look like"),
    ],
)
def test_odd_settings_are_refused_with_the_reason(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(BadNotificationSettings, match=reason):
        read(environ)


def test_without_a_server_there_is_no_e_mail() -> None:
    assert read({}) is None
    assert read({"SMTP_FROM": SENDER}) is None


def test_a_password_is_not_shown() -> None:
    assert "geheim" not in repr(Relay("mail.example.vn", 25, password="geheim"))
