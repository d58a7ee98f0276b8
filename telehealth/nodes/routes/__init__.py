"""Nodes over HTTP: what nodes ask, what administrators and the desk do, and a node's own page."""

from telehealth.nodes.routes.api import api
from telehealth.nodes.routes.door import door
from telehealth.nodes.routes.only import keep_to_the_day
from telehealth.nodes.routes.pages import pages

__all__ = ["api", "door", "keep_to_the_day", "pages"]
