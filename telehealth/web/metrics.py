"""Prometheus text for the operators' monitoring; a token opens it."""

import hmac
import time

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)

from notifications.metrics import MessageMetrics
from telehealth.core.errors import Forbidden, Unauthenticated
from telehealth.web.context import now, session, settings
from telehealth.web.guard import public

blueprint = Blueprint("metrics", __name__)

_REGISTRY = CollectorRegistry()
_REQUESTS = Counter("http_requests", "Answers by route and status", ["route", "status"], registry=_REGISTRY)
_SECONDS = Histogram(
    "http_request_seconds",
    "Time to answer by route",
    ["route"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=_REGISTRY,
)


def init_metrics(app: Flask) -> None:
    """Count every answer."""
    app.before_request(_start)
    app.after_request(_count)
    app.register_blueprint(blueprint)


def _start() -> None:
    g.started = time.perf_counter()


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    _REQUESTS.labels(route, str(response.status_code)).inc()
    if "started" in g:
        _SECONDS.labels(route).observe(time.perf_counter() - g.started)
    return response


@blueprint.get("/metrics")
@public
def metrics() -> Response:
    """Answer with this process's counters and the messages as they stand."""
    _check_token()
    messages = CollectorRegistry()
    messages.register(MessageMetrics(session(), now=now()))
    return Response(generate_latest(_REGISTRY) + generate_latest(messages), content_type=CONTENT_TYPE_LATEST)


def _check_token() -> None:
    expected = settings().metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    if not expected or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise Forbidden
