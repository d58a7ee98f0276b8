"""The list of those to be telephoned: each line once, whatever happens to the process or the file."""

import csv
import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from notifications.channels.base import Accepted, Outgoing, Retry
from notifications.channels.call_list import file
from notifications.channels.call_list.account import CallListAccount, read
from notifications.channels.call_list.channel import CallList, list_name
from notifications.channels.call_list.file import append_once
from notifications.channels.provider import Upkept
from tests.notifications.channels.conftest import KEY

Build = Callable[..., Outgoing]
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
NAME = "2026-11-30-bv-ba-ria.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "call-lists"


def call_list(folder: Path) -> CallList:
    return CallList(folder, clock=lambda: NOW, timeout=0.3)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_line_says_whom_to_call_until_when_and_what_to_say(folder: Path, outgoing: Build) -> None:
    message = outgoing("appointment-cancelled", expires_at=NOW + timedelta(hours=2))
    assert call_list(folder).send(message, KEY) == Accepted(ref=f"call:{KEY}")
    (row,) = rows(folder / NAME)
    assert row == {
        "Ghi lúc": "08:00 30/11/2026",
        "Gọi trước": "10:00 30/11/2026",
        "Điện thoại": "0912 345 678",
        "Nội dung cần nói": message.template.sms_text(message.params, accented=True),
        "Mã lịch hẹn": "mã 482913",
        "Người gọi": "",
        "Gọi lúc": "",
        "Kết quả": "",
        "Mã tin": str(KEY),
    }
    assert (folder.stat().st_mode & 0o777, (folder / NAME).stat().st_mode & 0o777) == (0o700, 0o600)
    assert (folder / NAME).read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_same_message_is_there_once_also_over_midnight(folder: Path, outgoing: Build) -> None:
    late = datetime(2026, 11, 30, 16, 59, tzinfo=UTC)
    assert call_list(folder).send(outgoing(now=late), KEY) == Accepted(f"call:{KEY}")
    for now in (late, late + timedelta(minutes=2)):
        assert call_list(folder).send(outgoing(now=now), KEY) == Accepted(f"call:{KEY}", reconciled=True)
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert len(rows(folder / NAME)) == 1


@pytest.mark.parametrize("cut", [1, 20, 40, 60])
def test_a_line_that_a_crash_cut_off_is_written_again_below(folder: Path, outgoing: Build, cut: int) -> None:
    call_list(folder).send(outgoing(), uuid4())
    call_list(folder).send(outgoing(), KEY)
    path = folder / NAME
    path.write_bytes(path.read_bytes()[: -cut - 2])
    call_list(folder).send(outgoing(), KEY)
    last = uuid4()
    call_list(folder).send(outgoing(), last)
    content = path.read_bytes()
    assert content.count(str(KEY).encode()) == 1
    lines = content.decode("utf-8-sig").split("\r\n")
    assert lines[-2].endswith(f'"{last}"')
    assert lines[-3].endswith(f'"{KEY}"') or cut == 1


def test_a_heading_that_was_cut_off_harms_no_line(folder: Path, outgoing: Build) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b'\xef\xbb\xbf"Ghi l')
    call_list(folder).send(outgoing(), KEY)
    assert (folder / NAME).read_bytes().decode("utf-8-sig").split("\r\n")[1].endswith(f'"{KEY}"')


WRITER = """
import runpy, sys
from pathlib import Path
append_once = runpy.run_path(sys.argv[3])["append_once"]
path = Path(sys.argv[1])
for number in range(10):
    for key in (f"{sys.argv[2]}-{number}.", f"shared-{number}."):
        append_once(path, b"heading\\r\\n", f"{key}\\r\\n".encode(), key, also_in=path, timeout=60)
"""


def test_four_processes_write_every_line_once(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number), file.__file__])
        for number in range(4)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "heading"
    assert len(lines) == len(set(lines)) == 1 + 4 * 10 + 10


FULL = """
import resource, runpy, sys
from pathlib import Path
loaded = runpy.run_path(sys.argv[2])
append_once, AppendFailed = loaded["append_once"], loaded["AppendFailed"]
path = Path(sys.argv[1])
append_once(path, b"heading\\r\\n", b"first\\r\\n", "first", also_in=path, timeout=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    append_once(path, b"heading\\r\\n", b"second-that-is-long\\r\\n", "second", also_in=path, timeout=1)
except AppendFailed:
    sys.exit(3)
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    command = [sys.executable, "-c", FULL, str(path), file.__file__]
    assert subprocess.run(command, timeout=30, check=False).returncode == 3
    assert path.read_bytes() == b"heading\r\nfirst\r\n"


def test_a_list_that_cannot_be_written_is_tried_again_later(tmp_path: Path, outgoing: Build) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    assert call_list(tmp_path / "taken").send(outgoing(), KEY) == Retry("file", down=True)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / NAME).symlink_to(tmp_path / "elsewhere")
    assert call_list(tmp_path / "lists").send(outgoing(), KEY) == Retry("file", down=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_list_that_another_process_holds_is_waited_for_and_then_left(folder: Path, outgoing: Build) -> None:
    call_list(folder).send(outgoing(), uuid4())
    with (folder / NAME).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert call_list(folder).send(outgoing(), KEY) == Retry("file", down=True)
    assert call_list(folder).send(outgoing(), KEY) == Accepted(f"call:{KEY}")


def test_a_file_that_a_spreadsheet_replaced_meanwhile_gets_the_line(tmp_path: Path) -> None:
    path, saved = tmp_path / "list.csv", tmp_path / "saved.csv"
    append_once(path, b"heading\r\n", b"first\r\n", "first", also_in=path, timeout=1)
    saved.write_bytes(b"heading\r\nfirst,called\r\n")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(
            target=append_once,
            args=(path, b"heading\r\n", b"second\r\n", "second"),
            kwargs={"also_in": path, "timeout": 10},
        )
        writer.start()
        saved.replace(path)
    writer.join()
    assert path.read_bytes() == b"heading\r\nfirst,called\r\nsecond\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(folder: Path, outgoing: Build, start: str) -> None:
    params = dict(outgoing().params) | {"facility": f"{start}HYPERLINK(1)"}
    call_list(folder).send(outgoing(params=params), KEY)
    (path,) = folder.iterdir()
    (row,) = rows(path)
    assert row["Nội dung cần nói"].startswith(f"'{start}HYPERLINK(1)")
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("facility", "name"),
    [
        ("BV Bà Rịa", NAME),
        ("", "2026-11-30.csv"),
        ("../../etc/passwd", "2026-11-30-etc-passwd.csv"),
        ("Đa khoa №1", "2026-11-30-da-khoa-1.csv"),
    ],
)
def test_each_day_and_facility_has_a_list_of_its_own(facility: str, name: str) -> None:
    assert list_name(NOW, facility) == name


def test_a_number_from_abroad_and_a_message_without_a_code(folder: Path, outgoing: Build) -> None:
    params = {"facility": "BV Bà Rịa", "number": "17", "room": "Phòng 12"}
    message = outgoing("turn-near", address="+8562012345678", params=params)
    call_list(folder).send(message, KEY)
    (row,) = rows(folder / NAME)
    assert (row["Điện thoại"], row["Mã lịch hẹn"], row["Gọi trước"]) == (
        "8562012345678",
        "",
        "10:00 30/11/2026",
    )


def test_old_lists_go_and_nothing_else_does(folder: Path) -> None:
    folder.mkdir(parents=True)
    kept = ["2026-10-31-bv-ba-ria.csv", "2026-11-30.csv", "notes.csv", "2026-01-01.txt"]
    for name in ("2026-10-30-bv-ba-ria.csv", "2025-12-31.csv", *kept):
        (folder / name).write_text("")
    channel = call_list(folder)
    assert isinstance(channel, Upkept)
    channel.upkeep()
    channel.upkeep()
    assert {path.name for path in folder.iterdir()} == set(kept)


def test_upkeep_before_the_first_list_is_no_error(folder: Path) -> None:
    call_list(folder).upkeep()


def test_where_the_lists_are_kept() -> None:
    assert read({}) is None
    assert read({"VAR_DIR": "/srv/state"}) == CallListAccount(Path("/srv/state/call-lists"))
    assert read({"VAR_DIR": "/srv/state", "CALL_LIST_DIR": "/srv/calls"}) == CallListAccount(
        Path("/srv/calls")
    )
