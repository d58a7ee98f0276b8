"""The waitlist over HTTP: the API, the family's pages, the pages behind the links in messages."""

from telehealth.waitlist.routes.api import api
from telehealth.waitlist.routes.links import links
from telehealth.waitlist.routes.pages import pages

__all__ = ["api", "links", "pages"]
