"""What no phone takes goes by mail, and what no mailbox takes goes on the list of those to be telephoned."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from notifications import Recipient
from notifications.settings import NotificationSettings
from tests.notifications.channels.local_mail import LocalMail, local_mail
from tests.notifications.conftest import World

PHONE, MAILBOX = "+84912345678", "ba.sau@example.com"


@pytest.fixture
def house(world: World, tmp_path: Path) -> Callable[[LocalMail], World]:
    """An installation with a mail server and a call list, and nothing else."""

    def build(mail: LocalMail) -> World:
        environ = {
            "SMTP_URL": f"smtp://127.0.0.1:{mail.port}",
            "SMTP_FROM": "Sở Y tế <thu@syt.example.vn>",
            "CALL_LIST_DIR": str(tmp_path / "lists"),
        }
        return replace(world, settings=NotificationSettings.from_environ(environ))

    return build


def cancel(world: World) -> None:
    world.enqueue(
        world.message("appointment-cancelled", PHONE, recipient=Recipient(phone=PHONE, email=MAILBOX))
    )


def test_mail_carries_what_no_phone_takes(house: Callable[[LocalMail], World], tmp_path: Path) -> None:
    with local_mail() as mail:
        world = house(mail)
        cancel(world)
        with world.dispatching():
            world.until(lambda: bool(mail.letters))
            world.until(lambda: world.states() == ["accepted"])
    (letter,) = mail.letters
    assert letter["Subject"] == "Lịch khám đã hủy"
    assert not (tmp_path / "lists").exists()


def test_a_letter_whose_answer_was_lost_is_sent_again_as_the_same_letter(
    house: Callable[[LocalMail], World],
) -> None:
    with local_mail(says={"text": "cut"}) as mail:
        world = house(mail)
        cancel(world)
        with world.dispatching():
            world.until(lambda: len(mail.letters) >= 2)
            mail.says = {}
            world.until(lambda: world.states() == ["accepted"])
    assert len({letter["Message-ID"] for letter in mail.letters}) == 1


def test_the_list_holds_whom_nothing_reached(house: Callable[[LocalMail], World], tmp_path: Path) -> None:
    with local_mail(says={"RCPT": "550 5.1.1 no such mailbox"}) as mail:
        world = house(mail)
        cancel(world)
        with world.dispatching():
            world.until(lambda: world.states() == ["accepted"])
    (path,) = (tmp_path / "lists").iterdir()
    with path.open(encoding="utf-8-sig", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert row["Điện thoại"] == "0912 345 678"
    assert row["Mã lịch hẹn"] == "mã 482913"
    assert world.attempts()[-1] == ("call-list", "accepted")
