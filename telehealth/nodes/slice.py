"""What of the centre's tables a node gets, and what of its own it settles.

Between the two, sealed columns travel open inside the encrypted line, and each side seals with its own keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from telehealth.core.crypto import FieldCipher
from telehealth.core.orm import Base

Row = dict[str, Any]
Index = Callable[[Row, FieldCipher], bytes | None]

HEX = "\\x"
"""How PostgreSQL writes bytes in JSON."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """The sealed columns of a table by their context, where `{id}` is the row's, and the blind indexes."""

    contexts: Mapping[str, str]
    indexes: Mapping[str, Index] = field(default_factory=dict)

    def open(self, row: Row, cipher: FieldCipher) -> Row:
        """Return the row with its sealed columns as text, without its indexes."""
        opened = {name: value for name, value in row.items() if name not in self.indexes}
        for name, context in self.contexts.items():
            if opened.get(name) is not None:
                opened[name] = cipher.open_text(_bytes(opened[name]), context.format(**row))
        return opened

    def seal(self, row: Row, cipher: FieldCipher) -> Row:
        """Return the row sealed and indexed with this side's keys."""
        sealed = dict(row)
        for name, index in self.indexes.items():
            sealed[name] = _hex(index(row, cipher))
        for name, context in self.contexts.items():
            if row.get(name) is not None:
                sealed[name] = _hex(cipher.seal_text(str(row[name]), context.format(**row)))
        return sealed


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix(HEX))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else HEX + value.hex()


def _phone_index(row: Row, cipher: FieldCipher) -> bytes | None:
    phone = row.get("phone_sealed")
    return None if phone is None else cipher.index_text(str(phone), "patient.phone")


def _number_index(row: Row, cipher: FieldCipher) -> bytes | None:
    return cipher.index_text(str(row["value_sealed"]), f"patient_identifier.{row['system']}")


SEALED: Mapping[str, Sealing] = {
    "account": Sealing({"totp_secret_sealed": "account.totp_secret:{id}"}),
    "patient": Sealing(
        {
            "phone_sealed": "patient.phone:{id}",
            "address_sealed": "patient.address:{id}",
        },
        {"phone_index": _phone_index},
    ),
    "patient_identifier": Sealing(
        {"value_sealed": "patient_identifier.value:{id}"}, {"value_index": _number_index}
    ),
    "encounter": Sealing({"note_sealed": "encounter.note_sealed:{id}"}),
    "feedback": Sealing({"phone_sealed": "feedback.phone:{id}"}),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One table of the bundle. `rows` is a condition on `t`; `left_out` columns are sent as null.

    `mirrored`: what the centre no longer sends is deleted on the node. `kept`: once on the node, a row is the
    node's, and the centre's copy never overwrites it.
    """

    table: str
    rows: str
    key: tuple[str, ...] = ("id",)
    left_out: tuple[str, ...] = ()
    mirrored: str | None = None
    kept: bool = False
    forgotten: tuple[str, ...] = ()


_SESSIONS = """SELECT s.id FROM clinic_session s
     WHERE s.facility_id = :facility AND s.business_date BETWEEN :today AND :tomorrow"""
_STAFF = "SELECT m.account_id FROM membership m WHERE m.facility_id = :facility"
_APPOINTMENTS = f"""SELECT a.id FROM appointment a
     WHERE a.facility_id = :facility AND a.clinic_session_id IN ({_SESSIONS})
       AND a.status NOT IN ('held', 'expired')"""
_OF_THE_DAY = "t.facility_id = :facility AND t.business_date >= :today"
_TICKETS = "SELECT k.id FROM ticket k WHERE k.facility_id = :facility AND k.business_date >= :today"
_PEOPLE = f"""
    SELECT a.patient_id FROM appointment a WHERE a.id IN ({_APPOINTMENTS})
    UNION SELECT k.patient_id FROM ticket k WHERE k.facility_id = :facility AND k.business_date >= :today
    UNION SELECT v.patient_id FROM visit v WHERE v.facility_id = :facility AND v.business_date >= :today
    UNION SELECT e.patient_id FROM encounter e
           WHERE e.facility_id = :facility AND e.business_date >= :today"""
_VISITS = "SELECT v.id FROM visit v WHERE v.facility_id = :facility AND v.business_date >= :today"
_OWN_QUEUES = "SELECT q.id FROM queue q WHERE q.facility_id = :facility"
_OWN_AREAS = "SELECT b.id FROM board_area b WHERE b.facility_id = :facility"

PARTS: tuple[Part, ...] = (
    Part("facility", "true"),
    Part("service_point", "t.facility_id = :facility"),
    Part(
        "healthcare_service",
        f"""t.facility_id = :facility
            OR t.id IN (SELECT s.service_id FROM clinic_session s WHERE s.id IN ({_SESSIONS}))
            OR t.id IN (SELECT e.service_id FROM encounter e
                         WHERE e.facility_id = :facility AND e.business_date >= :today)""",
    ),
    Part(
        "practitioner",
        f"""t.facility_id = :facility
            OR t.id IN (SELECT s.practitioner_id FROM clinic_session s WHERE s.id IN ({_SESSIONS}))
            OR t.id IN (SELECT c.practitioner_id FROM account c WHERE c.id IN ({_STAFF}))
            OR t.id IN (SELECT q.practitioner_id FROM queue q WHERE q.facility_id = :facility)
            OR t.id IN (SELECT e.practitioner_id FROM encounter e
                         WHERE e.facility_id = :facility AND e.business_date >= :today)""",
        left_out=("phone_sealed", "email"),
    ),
    Part(
        "account",
        f"t.kind = 'staff' AND t.id IN ({_STAFF})",
        left_out=("phone_sealed", "phone_index", "email_sealed", "email_index", "pin_hash"),
        # Tries and times belong to the side where somebody signs in.
        forgotten=("failed_count", "locked_until", "last_login_at", "totp_last_step", "pin_hash"),
    ),
    Part("membership", "t.facility_id = :facility", mirrored="true"),
    Part("device", "t.facility_id = :facility", left_out=("enrolled_by",), forgotten=("last_seen_at",)),
    Part("integrator_client", "t.facility_id = :facility"),
    Part(
        "access_session",
        """t.device_id IN (SELECT d.id FROM device d WHERE d.facility_id = :facility)
           OR t.client_id IN (SELECT c.id FROM integrator_client c WHERE c.facility_id = :facility)""",
        left_out=("ip", "user_agent"),
        forgotten=("last_seen_at",),
    ),
    Part("queue", "t.facility_id = :facility"),
    Part("visit_path", "t.facility_id = :facility", key=("facility_id",)),
    Part("board_area", "t.facility_id = :facility", mirrored="true"),
    Part(
        "board_area_queue",
        f"t.area_id IN ({_OWN_AREAS})",
        key=("area_id", "queue_id"),
        mirrored="true",
    ),
    Part(
        "board_area_room",
        f"t.area_id IN ({_OWN_AREAS})",
        key=("area_id", "service_point_id"),
        mirrored="true",
    ),
    Part(
        "queue_point",
        f"t.queue_id IN ({_OWN_QUEUES}) AND t.business_date IS NULL",
        key=("queue_id", "service_point_id", "business_date"),
        mirrored="t.business_date IS NULL",
    ),
    Part(
        "queue_point",
        f"t.queue_id IN ({_OWN_QUEUES}) AND t.business_date >= :today",
        key=("queue_id", "service_point_id", "business_date"),
        kept=True,
    ),
    Part(
        "queue_counter",
        f"t.queue_id IN ({_OWN_QUEUES}) AND t.business_date >= :today",
        key=("queue_id", "business_date"),
    ),
    Part("clinic_session", f"t.id IN ({_SESSIONS})", left_out=("schedule_id", "exception_id")),
    Part(
        "patient",
        f"t.id IN ({_PEOPLE})",
        left_out=("address_sealed", "notes_sealed", "email_sealed", "guardian_id", "guardian_since",
            "merged_into",
        ),
    ),
    Part("patient_identifier", f"t.active AND t.patient_id IN ({_PEOPLE})"),
    Part(
        "patient_facility",
        f"t.facility_id = :facility AND t.patient_id IN ({_PEOPLE})",
        key=("patient_id", "facility_id"),
    ),
    Part(
        "appointment",
        f"t.id IN ({_APPOINTMENTS})",
        left_out=(
            "account_id", "series_id", "replaces_id", "coverage_checked_by", "reason_sealed",
            "overbook_reason_sealed", "held_by",
        ),
    ),
    Part(
        "encounter",
        f"{_OF_THE_DAY} AND (t.appointment_id IS NULL OR t.appointment_id IN ({_APPOINTMENTS}))",
        kept=True,
    ),
    Part("visit", _OF_THE_DAY, kept=True),
    Part("visit_order", f"t.visit_id IN ({_VISITS})", kept=True),
    Part("visit_event", f"t.visit_id IN ({_VISITS})", kept=True),
    Part("ticket", _OF_THE_DAY, left_out=("lease_id",), kept=True),
    Part("ticket_event", f"t.ticket_id IN ({_TICKETS})", key=(), kept=True),
    Part("board", "t.facility_id = :facility", key=("facility_id",), kept=True),
)  # fmt: skip


DEVICES: frozenset[str] = frozenset({"device", "access_session"})
"""What a device is known by."""


@cache
def columns(table: str) -> tuple[str, ...]:
    """Return the columns of a table that are written, not computed or counted by the database."""
    found = Base.metadata.tables[table].columns
    return tuple(each.name for each in found if each.computed is None and each.identity is None)


JOURNALLED: tuple[str, ...] = (
    "patient",
    "patient_identifier",
    "patient_facility",
    "appointment",
    "encounter",
    "visit",
    "visit_order",
    "visit_event",
    "ticket",
    "ticket_event",
    "queue_counter",
    "queue_point",
    "board_event",
    "staff_call",
    "feedback",
    "audit_event",
)
"""What a node notes of its own work, to settle it."""

RUN_BY_THE_CENTRE: tuple[str, ...] = (
    "facility",
    "healthcare_service",
    "practitioner",
    "clinic_session",
    "patient",
    "appointment",
)
"""Whose triggers (booking, deposits, rosters, other systems) run at the centre, when it takes a change in."""
