"""`flask messages`: the texts of messages from the command line."""

import click
from flask.cli import AppGroup, with_appcontext

from notifications.settings import NotificationSettings
from notifications.template_versions import ChangedInPlace, standings
from telehealth.core.uow import system_unit_of_work
from telehealth.messaging.services import sync_texts
from telehealth.web.context import db, services

messages = AppGroup("messages", help="What is sent to people.")


@messages.group()
def templates() -> None:
    """The texts and their versions."""


@templates.command("sync")
@with_appcontext
def sync() -> None:
    """Store new versions of the texts; refuse a released text that was changed in place."""
    settings = services().settings
    ours = NotificationSettings.from_environ(settings.environ, sandbox_url=settings.sandbox_url)
    try:
        with system_unit_of_work(db.engine) as session:
            added = sync_texts(session, ours, now=services().clock())
    except ChangedInPlace as refusal:
        msg = f"{refusal}; raise `version` in their files"
        raise click.ClickException(msg) from refusal
    for key in added:
        click.echo(f"new: {key}")
    click.echo(f"{len(added)} texts stored.")


@templates.command("list")
@with_appcontext
def show() -> None:
    """List the newest version of each text and what its provider says of it."""
    with system_unit_of_work(db.engine) as session:
        for text in standings(session):
            known_as = text.provider_template_id or "-"
            click.echo(
                f"{text.kind}\t{text.language}\t{text.channel}\t{text.version}\t{known_as}\t{text.approval}"
            )
