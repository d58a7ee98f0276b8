"""The one-port front: realtime under `/rt/`, Flask on the rest."""

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from telehealth.app import create_app

app = Starlette(routes=[Mount("/", app=WSGIMiddleware(create_app(), workers=16))])
