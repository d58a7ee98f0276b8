"""Boards over HTTP: the API, and the pages of halls, of their administrators and of who watches them."""

from telehealth.boards.routes.api import api
from telehealth.boards.routes.areas import areas
from telehealth.boards.routes.hall import hall
from telehealth.boards.routes.public import pages

__all__ = ["api", "areas", "hall", "pages"]
