"""The one-port front: realtime under `/rt/`, Flask on the rest."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from telehealth.app import MAX_BODY, create_app
from telehealth.realtime.app import lifespan, routes
from telehealth.web.gateway import WsgiGateway

# Starlette types the gateway protocol more narrowly than Flask does.
_front: Any = WsgiGateway(create_app(), threads=16, most=MAX_BODY)

app = Starlette(routes=[*routes, Mount("/", app=_front)], lifespan=lifespan)
