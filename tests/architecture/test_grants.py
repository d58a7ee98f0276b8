"""What the application's role may do in the database, whatever the code asks for."""

import pytest
from sqlalchemy import Engine, text

DEFINERS = """
SELECT p.oid::regprocedure::text AS name,
       EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%pg_temp') AS pinned,
       has_function_privilege('public', p.oid, 'EXECUTE') AS open,
       has_function_privilege('telehealth_app', p.oid, 'EXECUTE') AS ours
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
EVIDENCE = ("audit_event", "login_event", "ticket_event", "consent")


def test_what_looks_past_the_walls_is_ours_alone_and_finds_its_own_tables(owner_engine: Engine):
    with owner_engine.connect() as connection:
        functions = connection.execute(text(DEFINERS)).all()
    assert len(functions) >= 9
    for function in functions:
        assert function.pinned, f"{function.name} has no search_path of its own"
        assert not function.open, f"{function.name} may be called by everybody"
        assert function.ours, f"{function.name} may not be called by the application"


@pytest.mark.parametrize("table", EVIDENCE)
def test_evidence_is_written_once(owner_engine: Engine, table: str):
    asked = text("SELECT has_table_privilege('telehealth_app', :table, :what)")
    with owner_engine.connect() as connection:
        may = {
            what: connection.execute(asked, {"table": table, "what": what}).scalar_one()
            for what in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
        }
    assert may == {"SELECT": True, "INSERT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}


def test_of_a_consent_only_the_withdrawal_is_added(owner_engine: Engine):
    columns = text(
        """SELECT column_name FROM information_schema.columns
            WHERE table_name = 'consent'
              AND has_column_privilege('telehealth_app', 'consent', column_name, 'UPDATE')"""
    )
    with owner_engine.connect() as connection:
        assert connection.execute(columns).scalars().all() == ["withdrawn_at"]
