"""Alive, and able to serve."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from telehealth.migrate import head_revision
from telehealth.web.context import now, session
from telehealth.web.guard import public

blueprint = Blueprint("health", __name__)

WORKER_SILENCE_SECONDS = 60


@blueprint.get("/healthz")
@public
def alive() -> Response:
    """Answer as long as the process can."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def ready() -> tuple[Response, int]:
    """Answer 200 only with a database, at the right migration, and a worker that beats."""
    try:
        revision = session().scalar(text("SELECT version_num FROM alembic_version"))
        beat = session().scalar(text("SELECT max(beat_at) FROM worker_heartbeat"))
    except SQLAlchemyError:
        return jsonify(status="unavailable", database=False), 503
    worker = beat is not None and (now() - beat).total_seconds() < WORKER_SILENCE_SECONDS
    checks = {"database": True, "migrations": revision == head_revision(), "worker": worker}
    good = all(checks.values())
    return jsonify(status="ok" if good else "unavailable", **checks), 200 if good else 503
