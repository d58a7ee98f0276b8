"""The desk's pages hang off this."""

from flask import Blueprint

pages = Blueprint("desk", __name__, template_folder="../templates", url_prefix="/desk")
