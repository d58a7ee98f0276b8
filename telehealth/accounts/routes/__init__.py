"""HTTP of the accounts feature."""

from telehealth.accounts.routes.api import api
from telehealth.accounts.routes.pages import pages

__all__ = ["api", "pages"]
