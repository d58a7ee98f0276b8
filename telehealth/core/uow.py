"""One request, one job, one message: one transaction."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

UnitOfWork = Callable[[], AbstractContextManager[Session]]

_ENTER_AS_SYSTEM = text("SELECT set_config('app.kind', 'system', true)")


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Commit when the block ends, roll back when it raises. The only commit there is."""
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


@contextmanager
def system_unit_of_work(engine: Engine) -> Iterator[Session]:
    """One transaction of a job or a command: row-level security lets the system read all."""
    with Session(engine, expire_on_commit=False) as session, unit_of_work(session):
        session.execute(_ENTER_AS_SYSTEM)
        yield session


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint the database refused on, if it says."""
    diagnostics = getattr(error.orig, "diag", None)
    name: str | None = getattr(diagnostics, "constraint_name", None)
    return name
