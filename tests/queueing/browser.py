"""A browser without scripts."""

import re

from flask.testing import FlaskClient


class Browser:
    """A browser without scripts: it reads pages and sends their forms."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""

    def open(self, path: str) -> str:
        answer = self.client.get(path, follow_redirects=True)
        self.page = answer.get_data(as_text=True)
        return self.page

    def send(self, path: str, status: int = 200, **fields: str) -> str:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert token, "no form on the page"
        answer = self.client.post(
            path,
            data={"csrf_token": token[1]} | fields,
            follow_redirects=True,
            headers={"Accept": "text/html"},
        )
        self.page = answer.get_data(as_text=True)
        assert answer.status_code == status, self.page
        return self.page
