"""Prometheus text for the operators' monitoring; a token opens it."""

import hmac
import time
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import text

from telehealth.core.errors import Forbidden, Unauthenticated
from telehealth.web.context import session, settings
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
_OUTBOX_DEPTH = Gauge("outbox_depth", "Messages waiting to be handed over", registry=_REGISTRY)
_OUTBOX_OLDEST = Gauge(
    "outbox_oldest_ready_seconds", "Age of the oldest message that is due", registry=_REGISTRY
)

_OUTBOX = text(
    "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(due_at) "
    "FILTER (WHERE due_at <= clock_timestamp())), 0) FROM notifications.outbox"
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
    """Answer with this process's counters and the outbox as it stands."""
    _check_token()
    waiting: Any = session().execute(_OUTBOX).one()
    _OUTBOX_DEPTH.set(waiting[0])
    _OUTBOX_OLDEST.set(float(waiting[1]))
    return Response(generate_latest(_REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _check_token() -> None:
    expected = settings().metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    if not expected or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise Forbidden
