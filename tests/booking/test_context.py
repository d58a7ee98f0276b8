"""What the database returns for a booking is what the services read."""

from sqlalchemy import Engine, text

from telehealth.booking.services.context import Context


def test_the_context_names_the_columns_of_its_function_in_their_order(engine: Engine):
    with engine.connect() as connection:
        columns = connection.execute(
            text("SELECT * FROM booking_context(NULL, NULL, NULL, NULL, NULL, NULL, now())")
        )
        assert tuple(columns.keys()) == Context._fields
