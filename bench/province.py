"""A whole province to measure on: the demonstration's files, its clinic sessions, and people with tokens."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from sqlalchemy import create_engine

from telehealth.core.clock import system_clock
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.ids import derived_id
from telehealth.core.uow import system_unit_of_work
from telehealth.provincial_import.services import import_province
from telehealth.scheduling.services import materialise_horizon
from telehealth.settings import Settings

FILES = Path(__file__).resolve().parent.parent / "telehealth" / "demo" / "province"
DAYS = 60


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody with an account, a telephone and a token."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Size:
    """What was loaded."""

    doctors: int
    facilities: int
    days: int
    clinic_sessions: int
    slots: int


def load(env: Mapping[str, str], admin_url: str, *, days: int = DAYS) -> Size:
    """Import the demonstration's files and make the sessions of so many days."""
    settings = Settings.from_environ(env)
    engine = create_engine(settings.database_url)
    now = system_clock()
    try:
        with system_unit_of_work(engine) as session:
            report = import_province(session, FILES, now=now, cipher=settings.cipher)
            if report.refused:
                raise AssertionError(report.findings[0])
        with system_unit_of_work(engine) as session:
            materialise_horizon(session, now, days=days)
    finally:
        engine.dispose()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
        row = admin.execute(
            """SELECT (SELECT count(*) FROM practitioner), (SELECT count(*) FROM facility),
                      (SELECT count(*) FROM materialised_day), count(*), sum(slot_count * capacity)
                 FROM clinic_session"""
        ).fetchone()
    return Size(*(row or (0, 0, 0, 0, 0)))


def add_patients(env: Mapping[str, str], admin_url: str, count: int) -> list[Patient]:
    """Add people who may book at once, one account each."""
    cipher = Settings.from_environ(env).cipher
    now = system_clock()
    people = [Patient(derived_id("bench-patient", n), f"bench-token-{n:06d}") for n in range(count)]
    accounts = [derived_id("bench-account", n) for n in range(count)]
    with psycopg.connect(admin_url) as admin, admin.cursor() as cursor:
        _copy(
            cursor,
            "account (id, kind, phone_sealed, phone_index, display_name, language, must_change_password,"
            " failed_count, created_at, enabled_at)",
            (_account(cipher, account, n, now) for n, account in enumerate(accounts)),
        )
        _copy(
            cursor,
            "patient (id, full_name, name_search, name_sort, birth_date, sex, nationality, language,"
            " unidentified, version, created_at, updated_at)",
            (
                (
                    person.id,
                    f"Người {n}",
                    f"nguoi {n}",
                    f"{n}",
                    "1980",
                    "male",
                    "VN",
                    "vi",
                    False,
                    1,
                    now,
                    now,
                )
                for n, person in enumerate(people)
            ),
        )
        _copy(
            cursor,
            "account_patient (account_id, patient_id, relation, valid_from)",
            ((account, person.id, "self", now) for account, person in zip(accounts, people, strict=True)),
        )
        _copy(
            cursor,
            "access_session (id, token_hash, kind, account_id, mfa, created_at, expires_at, last_seen_at)",
            (_access(account, person, now) for account, person in zip(accounts, people, strict=True)),
        )
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("ANALYZE")
    return people


def open_slots(admin_url: str, *, from_day: int = 1, most_places: int = 99) -> list[str]:
    """Return the ids of slots that are free online, at most the quota of each session, in a fixed order."""
    with psycopg.connect(admin_url) as admin:
        rows = admin.execute(
            """SELECT id, start_minute, slot_minutes, least(online_quota, slot_count) FROM clinic_session
                WHERE start_at > now() + %s * interval '1 day' AND start_at < now() + interval '59 days'
                  AND online_quota > 0 AND status = 'open'
                  AND capacity <= %s
                ORDER BY md5(id::text)""",
            (from_day, most_places),
        ).fetchall()
    return [
        f"{session}.{start + index * step}"
        for index in range(4)
        for session, start, step, most in rows
        if index < most
    ]


def booking_request(patient: Patient, slot_id: str, key: str) -> bytes:
    """Return the bytes of one POST /api/v1/appointments."""
    body = json.dumps(
        {"slot_id": slot_id, "patient_id": str(patient.id), "coverage_basis": "registered-here"}
    ).encode()
    head = (
        "POST /api/v1/appointments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {patient.token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _account(cipher: FieldCipher, account: UUID, number: int, now: datetime) -> Sequence[object]:
    phone = f"+8491{number:07d}"
    return (
        account,
        "patient",
        cipher.seal_text(phone, f"account.phone:{account}"),
        cipher.index_text(phone, "account.phone"),
        "",
        "vi",
        False,
        0,
        now,
        now,
    )


def _access(account: UUID, person: Patient, now: datetime) -> Sequence[object]:
    later = now + timedelta(days=2)
    token = person.token
    return (
        derived_id("bench-session", token),
        token_hash(token),
        "bearer",
        account,
        False,
        now,
        later,
        later,
    )


def _copy(cursor: psycopg.Cursor, target: str, rows: Iterator[Sequence[object]]) -> None:
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
