"""A printer without paper, and the agent beside it."""

import threading
from collections.abc import Iterator

import pytest

from telehealth.printing.agent import Agent, serve
from telehealth.printing.emulator import Emulator, Paper
from telehealth.printing.printers import Printer

ORIGIN = "http://kiosk.example.vn"


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def emulator(paper: Paper) -> Iterator[Emulator]:
    with Emulator(paper) as printer:
        threading.Thread(target=printer.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield printer
        printer.shutdown()


@pytest.fixture
def printer(emulator: Emulator) -> Printer:
    return Printer(emulator.address)


@pytest.fixture
def agent(printer: Printer) -> Iterator[str]:
    """The agent's address."""
    with serve(Agent(printer), ORIGIN, 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
