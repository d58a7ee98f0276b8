"""The patient's pages hang off this."""

from datetime import datetime

from flask import Blueprint

from telehealth.core.phone import display_phone
from telehealth.directory.naming import practitioner_title
from telehealth.web.context import now
from telehealth.web.localization import has_message, t

pages = Blueprint("portal", __name__, template_folder="../templates")
pages.add_app_template_filter(practitioner_title)
pages.add_app_template_filter(display_phone)


@pages.app_template_filter()
def plain_description(service_code: str) -> str:
    """Say in everyday words what a service is for; nothing for one we have no words for."""
    key = f"portal-plain-{service_code}"
    return t(key) if has_message("vi", key) else ""


@pages.app_template_filter()
def birth_date(value: str) -> str:
    """Return a FHIR date (YYYY, YYYY-MM, YYYY-MM-DD) day first, as people read it."""
    return "/".join(reversed(value.split("-")))


@pages.app_template_test()
def over(instant: datetime) -> bool:
    """Tell whether an instant has passed."""
    return instant <= now()
