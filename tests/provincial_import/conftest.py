"""Import a province that a test has changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from telehealth.core.uow import system_unit_of_work
from telehealth.provincial_import.services import ImportReport, import_province
from telehealth.settings import Settings
from tests.provincial_import.samples import Change, small_province, write_csv

Import = Callable[..., ImportReport]


@pytest.fixture
def in_system(engine: Engine) -> Callable[[], object]:
    """Open a transaction of the system."""

    @contextmanager
    def opened() -> Iterator[Session]:
        with system_unit_of_work(engine) as session:
            yield session

    return opened


@pytest.fixture
def take_over(in_system, clean_database: None, settings: Settings, clock) -> Import:
    """Import a folder or workbook in a transaction of its own."""

    def run(source: Path, *, dry_run: bool = False) -> ImportReport:
        with in_system() as session:
            return import_province(session, source, now=clock(), cipher=settings.cipher, dry_run=dry_run)

    return run


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Change], Path]:
    """Write the small province after a change."""

    def write(change: Change) -> Path:
        tables = small_province()
        change(tables)
        return write_csv(tmp_path, tables)

    return write
