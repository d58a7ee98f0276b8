"""The one-port front: realtime under `/rt/`, Flask on the rest."""

from typing import Any

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from telehealth.app import create_app
from telehealth.realtime.app import lifespan, routes

# a2wsgi types the two gateway protocols more narrowly than Flask and Starlette do.
_flask: Any = create_app()
_front: Any = WSGIMiddleware(_flask, workers=16)

app = Starlette(routes=[*routes, Mount("/", app=_front)], lifespan=lifespan)
