"""The patient's pages hang off this."""

from flask import Blueprint

from telehealth.directory.naming import practitioner_title

pages = Blueprint("portal", __name__, template_folder="../templates")
pages.add_app_template_filter(practitioner_title)
