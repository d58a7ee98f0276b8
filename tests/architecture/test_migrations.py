"""One head, both directions, and the tables are what the models say."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Engine, create_engine, inspect

from telehealth.migrate import config, downgrade, upgrade
from telehealth.tables import METADATAS
from tests.conftest import _with_database, admin_url


def test_there_is_one_head():
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_the_models_are_what_the_migrations_made(owner_engine: Engine):
    with owner_engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: (
                    kind != "schema" or name in (None, "notifications")
                ),
                "include_object": lambda _obj, name, kind, reflected, other: (
                    not (
                        kind == "table"
                        and reflected
                        and other is None
                        and name in {"clock_offset", "alembic_version"}
                    )
                ),
                "compare_server_default": False,
            },
        )
        assert compare_metadata(context, list(METADATAS)) == []


@pytest.fixture
def scratch_url(worker_id: str) -> Iterator[str]:
    name = f"scratch_migrations_{worker_id}"
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield _with_database(admin_url(), name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_every_migration_goes_down_and_up_again(template_database: str, scratch_url: str):
    upgrade(scratch_url)
    downgrade(scratch_url, "base")
    engine = create_engine(scratch_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    upgrade(scratch_url)
