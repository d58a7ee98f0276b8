"""One request, one job, one message: one transaction."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from weakref import WeakKeyDictionary, finalize

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

UnitOfWork = Callable[[], AbstractContextManager[Session]]

CONNECT_ARGS = {"options": "-c lock_timeout=2000 -c statement_timeout=10000"}
_BESIDE_CONNECTIONS = 3
_BESIDE_WAIT_SECONDS = 5

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


@contextmanager
def beside(session: Session) -> Iterator[Session]:
    """One short transaction of the system beside the caller's, which may roll back or last.

    Its connections are its own: with all threads holding one of the caller's pool, none would get a
    second. The block must not touch rows that the caller's transaction has changed.
    """
    bind = session.get_bind()
    with system_unit_of_work(_engine_beside(bind if isinstance(bind, Engine) else bind.engine)) as work:
        yield work


_besides: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()
_making = Lock()


def _engine_beside(engine: Engine) -> Engine:
    with _making:
        if engine not in _besides:
            _besides[engine] = create_engine(
                engine.url,
                pool_size=_BESIDE_CONNECTIONS,
                max_overflow=0,
                pool_timeout=_BESIDE_WAIT_SECONDS,
                connect_args=CONNECT_ARGS,
            )
            finalize(engine, _besides[engine].dispose)
        return _besides[engine]


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint the database refused on, if it says."""
    diagnostics = getattr(error.orig, "diag", None)
    name: str | None = getattr(diagnostics, "constraint_name", None)
    return name
