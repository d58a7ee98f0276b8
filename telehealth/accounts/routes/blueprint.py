"""The pages' blueprint, shared by the modules that hang pages on it."""

from flask import Blueprint

pages = Blueprint("accounts", __name__, template_folder="../templates")
