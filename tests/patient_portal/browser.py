"""A browser without scripts: it follows links and sends the forms that the pages show."""

import html
import re
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from telehealth.core.crypto import FieldCipher
from tests.cast import messages
from tests.conftest import MovableClock

_FORM = re.compile(r"<form([^>]*)>(.*?)</form>", re.S)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_LINK = re.compile(r'href="([^"]+)"')


@dataclass
class Browser:
    """What a person sees and presses."""

    client: FlaskClient
    engine: Engine
    cipher: FieldCipher
    clock: MovableClock
    address: str = "/"
    text: str = ""
    status: int = 0
    visited: list[str] = field(default_factory=list)

    def go(self, address: str) -> "Browser":
        """Open an address; redirects are followed."""
        return self._show(self.client.get(address, follow_redirects=True, headers={"Accept": "text/html"}))

    def send(self, _action: str = "", **fields: str) -> "Browser":
        """Send the page's form (the one with this in its action), with its hidden fields."""
        address, hidden = self._form(_action)
        self.clock.forward(seconds=1)
        names = {name.replace("__", "-"): value for name, value in fields.items()}
        return self._show(
            self.client.post(
                address,
                data={**hidden, **names},
                follow_redirects=True,
                headers={"Accept": "text/html", "Origin": "http://localhost"},
            )
        )

    def links(self, part: str) -> list[str]:
        """Return the addresses on the page that hold a part; not those that change the language."""
        every = [html.unescape(link) for link in _LINK.findall(self.text)]
        return [link for link in every if part in link and not link.startswith(("/en?", "/vi?"))]

    def code(self) -> str:
        """Read the newest code off the phone."""
        return messages(self.engine, self.cipher, "otp")[-1]["code"]

    def sees(self, *words: str) -> bool:
        """Tell whether the page says these words."""
        plain = html.unescape(self.text)
        return all(word in plain for word in words)

    def _form(self, action: str) -> tuple[str, dict[str, str]]:
        for attributes, inside in _FORM.findall(self.text):
            given = dict(_ATTRIBUTE.findall(attributes))
            if given.get("method") == "post" and (
                action in given.get("action", "") if action else "action" not in given
            ):
                hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(inside)}
                return html.unescape(given.get("action", self.address)), hidden
        message = f"no form {action!r} on {self.address}"
        raise AssertionError(message)

    def _show(self, answer: TestResponse) -> "Browser":
        self.address = answer.request.full_path.rstrip("?")
        self.text = answer.get_data(as_text=True)
        self.status = answer.status_code
        self.visited.append(self.address)
        return self
