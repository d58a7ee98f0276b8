"""Conditional reading (RFC 9110 13): a program that has the current answer already is told so.

A record that carries a version names it in its ETag; any other answer is named by its content.
"""

from flask import Flask, Response, request

_PROGRAM_PATHS = ("/api/v1/", "/fhir/")
_OF_CHANGES = ("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE")


def init_conditional(app: Flask) -> None:
    """Let every GET of the API and of the FHIR facade answer 304 to a matching If-None-Match."""
    app.after_request(_conditional)


def _conditional(response: Response) -> Response:
    if request.method not in ("GET", "HEAD") or response.status_code != 200:
        return response
    if not request.path.startswith(_PROGRAM_PATHS) or not response.is_json:
        return response
    response.add_etag(weak=True)  # unless it has one
    asked = {name: value for name, value in request.environ.items() if name not in _OF_CHANGES}
    response.make_conditional(asked)
    return response
