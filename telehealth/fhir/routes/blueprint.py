"""The facade's blueprint, and what all its views need: what is asked, and how an answer is written."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, json, request

from telehealth.core.errors import BadRequest, UnsupportedMedia
from telehealth.fhir.asking import Asked
from telehealth.fhir.codes import PAGING, SEARCH, Kind
from telehealth.fhir.errors import UnknownParameter
from telehealth.fhir.queries import Found, Window
from telehealth.fhir.resources import Address, Json, searchset
from telehealth.web.context import settings

FHIR_JSON = "application/fhir+json"
ROOT = "/fhir/R4"

fhir = Blueprint("fhir", __name__, url_prefix=ROOT)


def address() -> Address:
    """Return where the facade answers."""
    return Address(settings().public_base_url + ROOT)


def asked(known: Iterable[str]) -> Asked:
    """Return the parameters of this request's address.

    One that is not known is left out, or refused where the caller prefers strict handling (FHIR 3.1.1.3).
    Raises UnknownParameter, BadParameter.
    """
    allowed = PAGING | set(known)
    strict = "handling=strict" in request.headers.get("Prefer", "").replace(" ", "")
    pairs = [(name.partition(":")[0], value) for name, value in request.args.items(multi=True)]
    for name, _value in pairs:
        if strict and name not in allowed:
            raise UnknownParameter(name=name[:40])
    g.fhir_used = allowed
    return Asked.of((name, value) for name, value in pairs if name in allowed)


def search_of(kind: Kind) -> Asked:
    """Return what a search for a resource type asks."""
    return asked(SEARCH[kind])


def window(question: Asked) -> Window:
    """Return the page that is asked for. Raises BadParameter."""
    cursor = question.one("_cursor")
    return Window(question.count(), cursor)


def body() -> dict[str, Any]:
    """Return the resource that was sent. Raises UnsupportedMedia, BadRequest."""
    if request.mimetype not in (FHIR_JSON, "application/json"):
        raise UnsupportedMedia
    sent = request.get_json(force=True, silent=True)
    if not isinstance(sent, dict):
        raise BadRequest
    return sent


def one(resource: Json) -> Response:
    """Answer with a resource; its version, where it has one, is the ETag."""
    answer = Response(json.dumps(resource), mimetype=FHIR_JSON)
    version = resource.get("meta", {}).get("versionId")
    if version is not None:
        answer.set_etag(version, weak=True)
        answer.headers["Content-Location"] = f"{ROOT}/{resource['resourceType']}/{resource['id']}"
    return answer


def many(resources: Iterable[Json], found: Found) -> Response:
    """Answer a search with a page of resources, their total, and where the next page is."""
    links = {"self": _link()}
    if found.next is not None:
        links["next"] = _link(found.next)
    return bundle(resources, links=links, total=found.total)


def bundle(
    resources: Iterable[Json],
    *,
    links: dict[str, str] | None = None,
    total: int | None = None,
    notes: Sequence[Json] = (),
) -> Response:
    """Answer with a Bundle of type searchset, as searches and the IHE operations do."""
    written = searchset(resources, address(), links=links or {"self": _link()}, total=total, notes=notes)
    return Response(written, mimetype=FHIR_JSON)


def _link(cursor: str | None = None) -> str:
    """Return where this page is, by the parameters that were used and no others (FHIR 3.1.1.1.2)."""
    used = g.get("fhir_used", frozenset()) - {"_cursor"}
    pairs = [
        (name, value) for name, value in request.args.items(multi=True) if name.partition(":")[0] in used
    ]
    if cursor is not None:
        pairs.append(("_cursor", cursor))
    query = urlencode(pairs)
    path = settings().public_base_url + request.path
    return f"{path}?{query}" if query else path
