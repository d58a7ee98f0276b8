"""The consultation's own fixtures."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session


@pytest.fixture
def owner(owner_engine: Engine, clean_database: None) -> Iterator[Session]:
    """A session that looks past row-level security, to set scenes and to look behind them."""
    with Session(owner_engine, expire_on_commit=False) as session:
        yield session
