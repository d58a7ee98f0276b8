"""Runs migrations as the owner, one runner at a time, never waiting long for a lock."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from telehealth.tables import METADATAS

_RUNNER_LOCK = 7_702_601

config = context.config


def run() -> None:
    engine = create_engine(config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _RUNNER_LOCK})
        connection.execute(text("SET lock_timeout = '2s'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=list(METADATAS),
            include_schemas=True,
            include_name=lambda name, kind, _parents: kind != "schema" or name in (None, "notifications"),
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _RUNNER_LOCK})
        connection.commit()


run()
