"""A slip from its words to the dots on paper, and what a printer can do to it."""

import socket

import pytest
import requests
from PIL import Image, ImageChops

from telehealth.printing.drawing import NARROW, WIDE, draw
from telehealth.printing.emulator import Paper
from telehealth.printing.escpos import Outcome
from telehealth.printing.printers import Printer
from telehealth.printing.slips import BadSlip, Slip
from tests.printing.conftest import ORIGIN

SLIP = {
    "key": "7f0c-1",
    "place": "Bệnh viện Đa khoa Bà Rịa",
    "number": "5-012",
    "room": "Phòng khám 5, tầng 2",
    "lines": ["Còn 3 người trước quý vị", "Chờ khoảng 20–35 phút"],
    "address": "https://kham.example.vn/t/q3Zx-9_fGhJkLmNoPqRsTu",
    "foot": ["Quét mã để theo dõi số trên điện thoại", "08:00 30/11/2026"],
}


def ask(agent: str, body: object, *, origin: str | None = ORIGIN, path: str = "/print") -> requests.Response:
    headers = {} if origin is None else {"Origin": origin}
    return requests.post(agent + path, json=body, headers=headers, timeout=20)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_what_comes_out_is_dot_for_dot_what_was_drawn(printer: Printer, paper: Paper, width: int):
    page = draw(Slip.parse(SLIP), width)
    assert printer.print(page) is Outcome.PRINTED
    (slip,) = paper.slips
    assert slip.size == page.size
    assert ImageChops.difference(slip.convert("L"), page.convert("L")).getbbox() is None


def ink(image: Image.Image) -> int:
    return image.convert("L").histogram()[0]


def test_every_vietnamese_letter_has_its_own_shape():
    letters = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵdđĐỮỄỘ"
    shapes = {
        letter: draw(Slip.parse(SLIP | {"number": letter, "lines": [], "foot": []})).tobytes()
        for letter in letters
    }
    assert len(set(shapes.values())) == len(letters), "a letter without a glyph would look like another"


def test_a_long_name_is_wrapped_and_stays_on_the_paper():
    long = Slip.parse(SLIP | {"place": "Trung tâm Chăm sóc sức khỏe sinh sản và Kiểm soát bệnh tật " * 2})
    for width in (WIDE, NARROW):
        page = draw(long, width).convert("L")
        edges = [page.crop((0, 0, 4, page.height)), page.crop((width - 4, 0, width, page.height))]
        assert [ink(edge) for edge in edges] == [0, 0]


def test_paper_that_is_out_prints_nothing_and_says_so(printer: Printer, paper: Paper):
    paper.paper_out = True
    assert printer.state() is Outcome.PAPER_OUT
    assert printer.print(draw(Slip.parse(SLIP))) is Outcome.PAPER_OUT
    assert paper.slips == []


def test_paper_that_ends_within_a_slip_is_noticed(printer: Printer, paper: Paper):
    paper.rows_left = 300
    assert printer.print(draw(Slip.parse(SLIP))) is Outcome.PAPER_OUT


def test_an_open_cover_and_a_dead_printer_are_told_apart(printer: Printer, paper: Paper):
    paper.cover_open = True
    assert printer.print(draw(Slip.parse(SLIP))) is Outcome.COVER_OPEN
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    assert Printer(address).print(draw(Slip.parse(SLIP))) is Outcome.UNREACHABLE
    assert Printer("usb:/dev/usb/no-such-printer").state() is Outcome.UNREACHABLE


def test_a_printer_that_hangs_up_in_silence_has_stalled(printer: Printer, paper: Paper):
    paper.silent = True
    assert printer.print(draw(Slip.parse(SLIP))) in (Outcome.STALLED, Outcome.UNREACHABLE)


def test_the_agent_prints_a_slip_once_however_often_it_is_asked(agent: str, paper: Paper):
    for _ in range(2):
        answer = ask(agent, SLIP)
        assert answer.json() == {"outcome": "printed"}
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert len(paper.slips) == 1
    assert ask(agent, SLIP | {"key": "7f0c-2"}).json() == {"outcome": "printed"}
    assert len(paper.slips) == 2


def test_a_slip_that_failed_may_be_asked_for_again(agent: str, paper: Paper):
    paper.paper_out = True
    assert ask(agent, SLIP).json() == {"outcome": "paper-out"}
    paper.paper_out = False
    assert ask(agent, SLIP).json() == {"outcome": "printed"}
    assert len(paper.slips) == 1


def test_the_agent_answers_its_own_page_only(agent: str, paper: Paper):
    assert ask(agent, SLIP, origin="https://evil.example").status_code == 403
    refused = requests.options(f"{agent}/print", headers={"Origin": "https://evil.example"}, timeout=5)
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    allowed = requests.options(f"{agent}/print", headers={"Origin": ORIGIN}, timeout=5)
    assert allowed.headers["Access-Control-Allow-Private-Network"] == "true"
    assert paper.slips == []


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "x",
        {},
        SLIP | {"number": ""},
        SLIP | {"number": 5},
        SLIP | {"lines": ["x"] * 13},
        SLIP | {"foot": "x"},
    ],
)
def test_what_is_no_slip_is_refused(agent: str, paper: Paper, wrong: object):
    assert ask(agent, wrong).status_code == 422
    with pytest.raises(BadSlip):
        Slip.parse(wrong)
    assert paper.slips == []


def test_odd_requests_do_not_stop_the_agent(agent: str):
    assert ask(agent, SLIP, path="/elsewhere").status_code == 404
    assert requests.get(f"{agent}/elsewhere", timeout=5).status_code == 404
    assert requests.post(f"{agent}/print", data=b"{" * 20_000, timeout=5).status_code == 422
    assert requests.get(f"{agent}/state", timeout=5).json() == {"outcome": "printed"}
