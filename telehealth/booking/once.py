"""Every POST of the API and of the FHIR facade is done once per Idempotency-Key, by one wrapper for all.

The key is remembered, the thing is done and the answer is kept in one transaction, so that whoever asks
again (or at the same time) gets the first answer. A refusal rolls all of it back and a retry is a new try.
Who is not signed in has no key: its answer would be anybody's who knows it.
"""

import base64
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, Response, current_app, json, request
from flask.typing import RouteCallable

from telehealth.booking.attempts import attempt
from telehealth.booking.idempotency import RequestKey, remember, store
from telehealth.web.context import cipher, now, principal, unit_of_work

HEADER = "Idempotency-Key"
_PROGRAM_PATHS = ("/api/v1/", "/fhir/")
_OWN = "__keeps_its_own_keys__"
_KEPT_HEADERS = ("ETag", "Location", "Content-Location")

View = TypeVar("View", bound=Callable[..., Any])


def keeps_its_own_keys(view: View) -> View:
    """Mark a view that knows a key by other means: a booking's in its one write, a ticket's press."""
    setattr(view, _OWN, True)
    return view


def request_key() -> RequestKey | None:
    """Return the key that this request's sender chose, if any. Raises BadKey."""
    key = request.headers.get(HEADER)
    if key is None or not principal().signed_in:
        return None
    return RequestKey.of(principal(), f"{request.method} {request.path}", key, request.get_data())


def init_once(app: Flask) -> None:
    """Wrap every POST that programs may send, once all routes are known."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(_PROGRAM_PATHS) and "POST" in (rule.methods or ()):
            view = app.view_functions[rule.endpoint]
            if not getattr(view, _OWN, False):
                app.view_functions[rule.endpoint] = _once(view)


def _once(view: RouteCallable) -> RouteCallable:
    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request_key() if request.method == "POST" else None
        if key is None:
            return view(*args, **kwargs)
        return attempt(lambda: _kept(key, lambda: view(*args, **kwargs)))

    return keeps_its_own_keys(once)


def _kept(key: RequestKey, do: Callable[[], Any]) -> Response:
    with unit_of_work() as session:
        known = remember(session, key, now=now(), cipher=cipher())
        if known is not None:
            return _again(json.loads(known))
        answer = current_app.make_response(do())
        store(session, key, status=answer.status_code, answer=_written(answer), cipher=cipher())
    return answer


def _written(answer: Response) -> bytes:
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    body = base64.b64encode(answer.get_data()).decode()
    kept = {"status": answer.status_code, "type": answer.mimetype, "headers": headers, "body": body}
    return json.dumps(kept).encode()


def _again(kept: dict[str, Any]) -> Response:
    answer = Response(base64.b64decode(kept["body"]), status=kept["status"], mimetype=kept["type"])
    answer.headers.update(kept["headers"])
    return answer
