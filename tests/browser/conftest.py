"""A real browser on the real application, served by a real server; and the whole product, live."""

from collections.abc import Iterator
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, Playwright
from werkzeug.serving import make_server

from tests.browser.chromium import launch
from tests.browser.live import Live, running_product
from tests.conftest import cloned


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium; `CHROMIUM` names another."""
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(app: Flask) -> Iterator[str]:
    """The address of the application on a port of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def live(template_database: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The product with the demo province, on a database of its own: other tests empty theirs."""
    with (
        cloned(template_database, f"{template_database}_live_{worker_id}") as databases,
        running_product(databases, tmp_path_factory.mktemp("live")) as product,
    ):
        yield product
