"""Pages of the desk: everything with the keyboard, nothing that needs scripts."""

from telehealth.desk.routes import appointments, booking, day, looking, numbers, persons
from telehealth.desk.routes.blueprint import pages

__all__ = ["appointments", "booking", "day", "looking", "numbers", "pages", "persons"]
