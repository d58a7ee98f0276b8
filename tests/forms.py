"""A browser for tests: it reads the token out of the page, as a form does."""

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def post_form(client: FlaskClient, page: str, action: str, **fields: str) -> TestResponse:
    """Open a page, then send a form of it."""
    html = client.get(page).get_data(as_text=True)
    token = _TOKEN.search(html)
    assert token is not None, f"no form on {page}"
    return client.post(action, data={"csrf_token": token[1], **fields})
