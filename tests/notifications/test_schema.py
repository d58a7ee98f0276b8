"""The migration and the models say the same."""

from sqlalchemy import CheckConstraint, Engine, inspect

from notifications.models import SCHEMA, Base


def test_the_migration_makes_what_the_models_describe(owner_engine: Engine) -> None:
    found = inspect(owner_engine)
    assert set(found.get_table_names(schema=SCHEMA)) == {table.name for table in Base.metadata.sorted_tables}
    for table in Base.metadata.sorted_tables:
        columns = {
            column["name"]: (column["type"].compile(owner_engine.dialect), column["nullable"])
            for column in found.get_columns(table.name, schema=SCHEMA)
        }
        assert columns == {
            column.name: (column.type.compile(owner_engine.dialect), column.nullable)
            for column in table.columns
        }
        indexes = {str(index["name"]) for index in found.get_indexes(table.name, schema=SCHEMA)}
        unique = {str(each["name"]) for each in found.get_unique_constraints(table.name, schema=SCHEMA)}
        assert indexes - unique == {str(index.name) for index in table.indexes}
        checks = {str(check["name"]) for check in found.get_check_constraints(table.name, schema=SCHEMA)}
        named = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}
        assert checks == named
