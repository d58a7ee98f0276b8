"""The sandbox as a mail server."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from tests.notifications.conftest import SandboxClient
from tests.notifications.sandboxes import until


def new_address() -> str:
    return f"{uuid4().hex[:12]}@example.vn"


def written(to: str, **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Sở Y tế <lich-kham@example.vn>"
    mail["To"] = to
    mail["Subject"] = "Lịch khám ngày mai"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Mời ông bà đến lúc 08:30.")
    mail.add_alternative("<p>Mời ông bà đến lúc <b>08:30</b>.</p>", subtype="html")
    return mail


@contextmanager
def connected(sandbox: SandboxClient) -> Iterator[smtplib.SMTP]:
    place = urlsplit(sandbox.smtp_url)
    client = smtplib.SMTP(str(place.hostname), place.port or 0, timeout=5)
    try:
        yield client
    finally:
        client.close()


def received(sandbox: SandboxClient, to: str) -> list[dict[str, Any]]:
    return sandbox.messages(to)


def test_a_mail_is_kept_with_its_texts_and_headers(sandbox: SandboxClient) -> None:
    to, key = new_address(), f"<{uuid4()}@example.vn>"
    mail = written(to, Message_ID=key, List_Unsubscribe="<https://example.vn/u>")
    with connected(sandbox) as client:
        client.send_message(mail)
    (found,) = received(sandbox, to)
    assert (found["channel"], found["title"], found["key"]) == ("email", "Lịch khám ngày mai", key)
    assert found["sender"] == "Sở Y tế <lich-kham@example.vn>"
    assert found["text"].strip() == "Mời ông bà đến lúc 08:30."
    assert "<b>08:30</b>" in found["details"]["html"]
    assert ["List-Unsubscribe", "<https://example.vn/u>"] in found["details"]["headers"]
    until(lambda: received(sandbox, to)[0]["status"] == "delivered")


def test_addresses_are_found_in_any_spelling(sandbox: SandboxClient) -> None:
    to = new_address()
    with connected(sandbox) as client:
        client.send_message(written(to.upper()))
    assert len(received(sandbox, to)) == 1
    assert len(received(sandbox, to.upper())) == 1


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [("reject", None, 550), ("reject", 554, 554), ("quota", None, 452), ("token-expired", None, 530)],
)
def test_a_recipient_is_refused_at_once(
    sandbox: SandboxClient, fault: str, code: int | None, status: int
) -> None:
    to = new_address()
    sandbox.fault("smtp", fault, to=to, code=code)
    with connected(sandbox) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(written(to))
    assert refused.value.recipients[to][0] == status
    assert received(sandbox, to) == []


@pytest.mark.parametrize(("fault", "accepted"), [("429", 0), ("500", 0), ("accept-then-500", 1)])
def test_a_failure_that_passes_is_told_after_the_text(
    sandbox: SandboxClient, fault: str, accepted: int
) -> None:
    to = new_address()
    sandbox.fault("smtp", fault, to=to)
    with connected(sandbox) as client, pytest.raises(smtplib.SMTPDataError) as failed:
        client.send_message(written(to))
    assert failed.value.smtp_code == 451
    assert len(received(sandbox, to)) == accepted


@pytest.mark.parametrize(
    ("fault", "accepted"), [("hang", 0), ("hang-after-accept", 1), ("drop", 0), ("drop-after-accept", 1)]
)
def test_a_cut_connection_gives_no_answer(sandbox: SandboxClient, fault: str, accepted: int) -> None:
    to = new_address()
    sandbox.fault("smtp", fault, to=to, seconds=0.1)
    with connected(sandbox) as client, pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.send_message(written(to))
    assert len(received(sandbox, to)) == accepted


def test_a_late_acceptance_is_counted(sandbox: SandboxClient) -> None:
    to = new_address()
    sandbox.fault("smtp", "late-accept", to=to, seconds=0.1)
    with connected(sandbox) as client, pytest.raises(smtplib.SMTPDataError):
        client.send_message(written(to))
    until(lambda: len(received(sandbox, to)) == 1)
    assert received(sandbox, to)[0]["late"] is True


def test_a_mail_that_cannot_be_read_is_kept_all_the_same(sandbox: SandboxClient) -> None:
    to = new_address()
    broken = b"Subject: =?utf-8?q?a?=\r\nContent-Type: text/plain; charset=martian\r\n\r\n\xff\xfe\r\n"
    with connected(sandbox) as client:
        client.sendmail("a@example.vn", [to], broken)
    assert len(received(sandbox, to)) == 1
    assert requests.get(sandbox.url + "/_sandbox/tally", timeout=5).status_code == 200
