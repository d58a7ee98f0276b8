"""Reading the waitlist. Row-level security decides which entries there are for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.principal import Principal, PrincipalKind
from telehealth.waitlist.codes import EntryState, PlaceOfferState
from telehealth.waitlist.policies import EntryScope
from telehealth.waitlist.rules import Wish

# Those whose slip ends first, then those who have waited longest (waitlist_ahead counts in this order).
LINE = "coalesce(upper(e.bound), 'infinity'), e.since, e.id"
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class PlaceOfferView:
    """A place offered to somebody. One whose time is over has lapsed, whatever its row says."""

    id: UUID
    entry_id: UUID
    slot_id: str
    start: datetime
    state: PlaceOfferState
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EventView:
    """What happened to an entry; `start` is the place it is about."""

    at: datetime
    kind: str
    reason: str | None
    start: datetime | None


@dataclass(frozen=True, slots=True)
class EntryView:
    """Somebody who waits, `ahead` of them so many. `patient_name`: None where it may not be seen."""

    id: UUID
    patient_id: UUID
    patient_name: str | None
    account_id: UUID | None
    desk_id: UUID | None
    service_name_vi: str
    service_name_en: str
    facility_code: str | None
    facility_name: str | None
    practitioner_name: str | None
    wish: Wish
    channel: str
    coverage_basis: str
    state: EntryState
    since: datetime
    ahead: int
    appointment_id: UUID | None
    offer: PlaceOfferView | None

    @property
    def scope(self) -> EntryScope:
        """Return what the policy asks about it."""
        return EntryScope(self.patient_id, self.wish.facility_id, self.desk_id)

    @property
    def waits(self) -> bool:
        """Tell whether it has not ended."""
        return self.state in (EntryState.WAITING, EntryState.OFFERED)

    def service_name(self, locale: str) -> str:
        """Return the service in a language."""
        return self.service_name_vi if locale == "vi" else self.service_name_en


_SELECT = """
SELECT e.id, e.patient_id, t.full_name, e.account_id, e.desk_id, e.service_code, e.facility_id, e.area,
       e.practitioner_id, e.modality, e.first_day, e.last_day, e.weekdays, e.from_minute, e.to_minute,
       lower(e.bound) AS bound_from, upper(e.bound) AS bound_to, e.channel, e.coverage_basis, e.state,
       e.since, e.appointment_id, v.name_vi, v.name_en, f.code AS facility_code, f.name AS facility_name,
       d.name AS practitioner_name,
       CASE WHEN e.state IN ('waiting', 'offered') THEN waitlist_ahead(e.id) ELSE 0 END AS ahead,
       o.id AS offer_id, o.slot_id, o.start_at, o.expires_at
  FROM waitlist_entry e
  LEFT JOIN LATERAL (
      SELECT s.name_vi, s.name_en FROM healthcare_service s WHERE s.code = e.service_code
       ORDER BY s.facility_id IS NOT DISTINCT FROM e.facility_id DESC, s.id LIMIT 1) v ON true
  LEFT JOIN facility f ON f.id = e.facility_id
  LEFT JOIN practitioner d ON d.id = e.practitioner_id
  LEFT JOIN patient t ON t.id = e.patient_id
  LEFT JOIN waitlist_offer o ON o.entry_id = e.id AND o.state = 'open' AND o.expires_at > %(now)s
"""


def entry(session: Session, entry_id: UUID, *, now: datetime) -> EntryView | None:
    """Return an entry that the entered principal may see, or None."""
    found = _rows(session, f"{_SELECT} WHERE e.id = %(id)s", {"id": entry_id, "now": now})
    return _view(found[0]) if found else None


def entries_of(
    session: Session, principal: Principal, *, now: datetime, patient_id: UUID | None = None
) -> list[EntryView]:
    """Return for whom the family waits, or whom an employee put on the list: those who still wait first."""
    family = principal.kind is PrincipalKind.PATIENT
    mine = "e.patient_id = ANY(%(patients)s::uuid[])" if family else "e.account_id = %(account)s"
    sql = f"""{_SELECT} WHERE {mine} AND (%(patient)s::uuid IS NULL OR e.patient_id = %(patient)s::uuid)
              ORDER BY e.state NOT IN ('offered', 'waiting'), e.changed_at DESC, e.id LIMIT {MOST_SHOWN}"""
    parameters = {
        "patients": sorted(principal.patient_ids),
        "account": principal.id,
        "patient": patient_id,
        "now": now,
    }
    return [_view(row) for row in _rows(session, sql, parameters)]


def waiting_for(session: Session, patient_id: UUID, service_code: str, *, now: datetime) -> EntryView | None:
    """Return the entry by which somebody waits for a service already, or None."""
    sql = f"""{_SELECT} WHERE e.patient_id = %(patient)s AND e.service_code = %(service)s
                AND e.state IN ('waiting', 'offered')"""
    found = _rows(session, sql, {"patient": patient_id, "service": service_code, "now": now})
    return _view(found[0]) if found else None


def line_of(session: Session, facility_id: UUID, *, now: datetime) -> list[EntryView]:
    """Return who waits at a facility, or was put on the list there, in the order of the line."""
    sql = f"""{_SELECT} WHERE (e.facility_id = %(facility)s OR e.desk_id = %(facility)s)
                AND e.state IN ('waiting', 'offered')
              ORDER BY e.service_code, {LINE} LIMIT {MOST_SHOWN}"""
    return [_view(row) for row in _rows(session, sql, {"facility": facility_id, "now": now})]


def events_of(
    session: Session, entry_ids: Sequence[UUID], *, most: int = 12
) -> Mapping[UUID, list[EventView]]:
    """Return the latest events of several entries, newest first."""
    found: dict[UUID, list[EventView]] = {identifier: [] for identifier in entry_ids}
    sql = """SELECT x.entry_id, x.at, x.kind, x.reason, x.start_at FROM (
                SELECT v.*, row_number() OVER (PARTITION BY v.entry_id ORDER BY v.id DESC) AS place
                  FROM waitlist_event v WHERE v.entry_id = ANY(%(ids)s::uuid[])) x
              WHERE x.place <= %(most)s ORDER BY x.id DESC"""
    for row in _rows(session, sql, {"ids": list(entry_ids), "most": most}):
        found[row.entry_id].append(EventView(row.at, row.kind, row.reason, row.start_at))
    return found


def offer(session: Session, offer_id: UUID, *, now: datetime) -> PlaceOfferView | None:
    """Return an offer to an entry that the entered principal may see, or None."""
    rows = _rows(
        session,
        """SELECT o.id, o.entry_id, o.slot_id, o.start_at, o.state, o.expires_at
             FROM waitlist_offer o WHERE o.id = %(id)s""",
        {"id": offer_id},
    )
    if not rows:
        return None
    row = rows[0]
    late = row.state == PlaceOfferState.OPEN and row.expires_at <= now
    state = PlaceOfferState.LAPSED if late else PlaceOfferState(row.state)
    return PlaceOfferView(row.id, row.entry_id, row.slot_id, row.start_at, state, row.expires_at)


def wish_of(row: Any) -> Wish:
    """Return the wish that a row of waitlist_entry holds."""
    return Wish(
        service_code=row.service_code,
        first_day=row.first_day,
        last_day=row.last_day,
        facility_id=row.facility_id,
        area=row.area,
        practitioner_id=row.practitioner_id,
        modality=row.modality,
        weekdays=tuple(row.weekdays),
        from_minute=row.from_minute,
        to_minute=row.to_minute,
        bound=None if row.bound_to is None else (row.bound_from, row.bound_to),
    )


def _view(row: Row[Any]) -> EntryView:
    offered = row.offer_id and PlaceOfferView(
        row.offer_id, row.id, row.slot_id, row.start_at, PlaceOfferState.OPEN, row.expires_at
    )
    return EntryView(
        id=row.id,
        patient_id=row.patient_id,
        patient_name=row.full_name,
        account_id=row.account_id,
        desk_id=row.desk_id,
        service_name_vi=row.name_vi or row.service_code,
        service_name_en=row.name_en or row.service_code,
        facility_code=row.facility_code,
        facility_name=row.facility_name,
        practitioner_name=row.practitioner_name,
        wish=wish_of(row),
        channel=row.channel,
        coverage_basis=row.coverage_basis,
        state=EntryState(row.state),
        since=row.since,
        ahead=row.ahead,
        appointment_id=row.appointment_id,
        offer=offered or None,
    )


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
