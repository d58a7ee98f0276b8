"""A whole country to search in: made-up facilities and doctors of 34 provinces, two months of sessions.

Written in bulk by the database itself, without the roster lines behind the sessions. The next three days are
95 % taken in the way that is worst for a search: nine sessions in ten are full, the tenth is half full.
"""

from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

PROVINCES = 34
SPECIALTIES = [
    *("internal", "surgery", "paediatrics", "obstetrics", "cardiology", "neurology", "dermatology", "ent"),
    *("eye", "dental", "orthopaedics", "urology", "endocrinology", "gastroenterology", "respiratory"),
    *("oncology", "psychiatry", "rehabilitation", "traditional", "infectious"),
]

# Of each province: one hospital of 310 doctors, two of 130, twelve centres of 20, eighty stations of 2 or 3.
DIRECTORY = """
CREATE TEMP TABLE made AS
SELECT gen_random_uuid() AS id, p AS province, n,
       CASE WHEN n <= 3 THEN 'specialised' WHEN n <= 15 THEN 'basic' ELSE 'initial' END AS care_level,
       CASE WHEN n = 1 THEN 310 WHEN n <= 3 THEN 130 WHEN n <= 15 THEN 20
            ELSE 2 + (n %% 5 < 2)::int END AS doctors,
       CASE WHEN n <= 3 THEN 20 WHEN n <= 15 THEN 10 ELSE 3 END AS specialties,
       9 + p * 0.4 + (random() - 0.5) * 0.9 AS latitude,
       105 + 2.5 * sin(p) + (random() - 0.5) * 0.9 AS longitude
  FROM generate_series(1, %(provinces)s) p, generate_series(1, 95) n;
INSERT INTO facility (id, code, national_code, name, name_search, name_sort, kind, care_level, address, area,
                      province, latitude, longitude, hotline, hours, after_hours, active)
SELECT id, format('%%s-%%s', province, n),
       format('8930%%s%%s', lpad(province::text, 3, '0'), lpad(n::text, 5, '0')),
       format('Cơ sở %%s-%%s', province, n), format('co so %%s %%s', province, n),
       format('%%s %%s', province, n),
       CASE care_level WHEN 'specialised' THEN 'hospital' WHEN 'basic' THEN 'centre' ELSE 'station' END,
       care_level, 'Đường Thử', format('Xã %%s', n), format('Tỉnh %%s', province), latitude, longitude,
       '19009095', '[]', '[]', true FROM made;
CREATE TEMP TABLE offered AS
SELECT gen_random_uuid() AS id, m.id AS facility_id, s.code, s.place
  FROM made m JOIN unnest(%(specialties)s::text[]) WITH ORDINALITY s (code, place)
    ON s.place <= m.specialties;
INSERT INTO healthcare_service (id, facility_id, code, name_vi, name_en, name_search, duration_minutes,
                                price_insured_vnd, price_self_vnd, modalities, online_booking,
                                online_share_percent, active)
SELECT id, facility_id, code, 'Khám ' || code, code, 'kham ' || code, 10, 45000, 45000,
       '{in-person,video}', true, 70, true FROM offered;
CREATE TEMP TABLE doctor AS
SELECT gen_random_uuid() AS id, m.id AS facility_id, row_number() OVER () AS number, d AS rank,
       1 + d %% m.specialties AS place
  FROM made m, generate_series(1, m.doctors) d;
INSERT INTO practitioner (id, licence_no, name, name_search, name_sort, title, specialty, facility_id,
                          active)
SELECT d.id, format('%%s/XX-CCHN', lpad(d.number::text, 6, '0')), 'Bác sĩ ' || d.number,
       'bac si ' || d.number, lpad(d.number::text, 6, '0'), 'BS', o.code, d.facility_id, true
  FROM doctor d JOIN offered o ON o.facility_id = d.facility_id AND o.place = d.place;
"""

# Five days of seven, one session of 24 slots in the morning or afternoon, every tenth day a second one.
SESSIONS = """
INSERT INTO clinic_session (id, facility_id, practitioner_id, service_id, service_code, modality,
                            business_date, start_at, end_at, start_minute, slot_minutes, slot_count, capacity,
                            room, online_quota, online_booked, booked, status, version)
SELECT gen_random_uuid(), facility_id, doctor_id, service_id, code, modality, day,
       midnight + minute * interval '1 minute', midnight + (minute + 240) * interval '1 minute', minute, 10,
       24, 1, 'P1', 16, least(16, taken * 7 / 10 + (taken = 24)::int), taken, 'open', 1
  FROM (SELECT d.facility_id, d.id AS doctor_id, o.id AS service_id, o.code, a.day,
               a.day::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh' AS midnight, h.minute,
               CASE WHEN d.number %% 10 = 0 THEN 'video' ELSE 'in-person' END AS modality,
               CASE WHEN a.ahead > %(full_days)s THEN (random() < 0.11)::int
                    WHEN random() < 0.9 THEN 24 ELSE 12 END AS taken
          FROM doctor d JOIN offered o ON o.facility_id = d.facility_id AND o.place = d.place
         CROSS JOIN (SELECT n AS ahead, (%(today)s::date + n)::date AS day FROM generate_series(0, 59) n) a
         CROSS JOIN (VALUES (420), (780)) h (minute)
         WHERE (d.number + a.ahead) %% 7 < 5
           AND (h.minute = CASE WHEN d.number %% 2 = 0 THEN 420 ELSE 780 END
                OR (d.number + a.ahead) %% 10 = 0)) planned;
"""
CLAIMS = """
INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active)
SELECT gen_random_uuid(), gen_random_uuid(), 'practitioner', s.practitioner_id, 1,
       tstzrange(s.start_at + n * interval '10 minutes', s.start_at + (n + 1) * interval '10 minutes'), true
  FROM clinic_session s, generate_series(0, s.booked - 1) n WHERE s.booked > 0;
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname, pg_get_constraintdef(c.oid)
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'x'
 WHERE i.indrelid = %s::regclass AND NOT i.indisprimary"""


@dataclass(frozen=True, slots=True)
class Size:
    """What was made."""

    facilities: int
    doctors: int
    clinic_sessions: int
    claims: int
    full_percent: float


def load(admin_url: str, *, full_days: int = 3) -> Size:
    """Make the country in an empty, migrated database."""
    with psycopg.connect(admin_url) as admin:
        admin.execute(
            "SET session_replication_role = replica"
        )  # rows of nobody: no foreign keys, no triggers
        admin.execute("SET synchronous_commit = off")
        admin.execute("SET maintenance_work_mem = '512MB'")
        admin.execute("SELECT setseed(0.5)")
        today = admin.execute("SELECT (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date").fetchone()
        asked: dict[str, Any] = {
            "provinces": PROVINCES,
            "specialties": SPECIALTIES,
            "full_days": full_days - 1,
            "today": today and today[0],
        }
        for statement in DIRECTORY.split(";\n"):
            if statement.strip():
                admin.execute(statement, asked)
        _without_indexes(admin, "clinic_session", SESSIONS, asked)
        _without_indexes(admin, "claim", CLAIMS, {})
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
        row = admin.execute(
            """SELECT (SELECT count(*) FROM facility), (SELECT count(*) FROM practitioner), count(*),
                      (SELECT count(*) FROM claim),
                      (SELECT round(100.0 * sum(booked) / sum(slot_count), 1)::float FROM clinic_session
                        WHERE business_date < %(first)s::date + %(days)s)
                 FROM clinic_session""",
            {"first": asked["today"], "days": full_days},
        ).fetchone()
    return Size(*(row or (0, 0, 0, 0, 0.0)))


def _without_indexes(admin: psycopg.Connection, table: str, fill: str, parameters: dict[str, Any]) -> None:
    """Fill a table before its indexes are built: once over all rows instead of once for each."""
    found = admin.execute(_INDEXES, (table,)).fetchall()
    for index, _definition, constraint, _rule in found:
        if constraint is None:
            admin.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
        else:
            admin.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(table), sql.Identifier(constraint)
                )
            )
    admin.execute(fill, parameters)
    for _index, definition, constraint, rule in found:
        if constraint is None:
            admin.execute(definition)
        else:
            admin.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    sql.Identifier(table), sql.Identifier(constraint), sql.SQL(cast(LiteralString, rule))
                )
            )
