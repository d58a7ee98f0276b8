"""Schema migrations: one head, under an advisory lock, by the owner role.

`python -m telehealth.migrate [REVISION]` upgrades the database that DATABASE_OWNER_URL names.
"""

import os
import sys
from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def config(owner_url: str = "") -> Config:
    """Return Alembic's configuration for a database."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    return settings


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the schema up to a revision; a database already there is left alone."""
    command.upgrade(config(owner_url), revision)


def downgrade(owner_url: str, revision: str) -> None:
    """Take the schema back to a revision."""
    command.downgrade(config(owner_url), revision)


@lru_cache(maxsize=1)
def head_revision() -> str:
    """Return the newest revision these sources know."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    if head is None:
        msg = "no migrations"
        raise RuntimeError(msg)
    return head


if __name__ == "__main__":
    upgrade(os.environ["DATABASE_OWNER_URL"], *sys.argv[1:2])
