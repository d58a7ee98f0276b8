"""Pages of signing in."""

from flask import Blueprint

pages = Blueprint("accounts", __name__, template_folder="../templates")
