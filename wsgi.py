"""The web process: `gunicorn -k gthread wsgi:app`."""

from telehealth.app import create_app

app = create_app()
