"""A refused try uses up nothing that others share."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from telehealth.accounts.rules import otp_limits
from telehealth.accounts.services.limits import spend
from telehealth.core.errors import TooMany
from telehealth.core.uow import system_unit_of_work

NOW = datetime(2026, 11, 30, 1, tzinfo=UTC)


def test_who_is_over_a_narrow_limit_does_not_use_up_the_wide_ones(engine: Engine):
    limits = otp_limits("contact", "address", 44)
    for _ in range(8):
        try:
            with system_unit_of_work(engine) as session:
                spend(session, limits, now=NOW)
        except TooMany:
            pass
    with engine.connect() as connection:
        counted = {
            row.name: row.count_
            for row in connection.execute(text("SELECT name, count AS count_ FROM rate_count"))
        }
    assert counted["otp:address:10m:address"] == 8
    assert counted["otp:phone:10m:contact"] == 8
    for shared in ("otp:foreign:country:hour:44", "otp:foreign:hour", "otp:all:hour"):
        assert counted[shared] == 3


def test_a_used_up_limit_refuses(engine: Engine):
    limits = otp_limits("another", "address")[2:3]
    with system_unit_of_work(engine) as session:
        for _ in range(3):
            spend(session, limits, now=NOW)
        with pytest.raises(TooMany):
            spend(session, limits, now=NOW)
