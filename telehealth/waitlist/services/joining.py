"""Joining the line and leaving it."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg.types.range import TimestamptzRange
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking.codes import CoverageBasis
from telehealth.core.clock import business_date
from telehealth.core.errors import Forbidden
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.patients.services import link_facility
from telehealth.scheduling.codes import Channel
from telehealth.waitlist import queries
from telehealth.waitlist.codes import WAITS, EntryState, EventKind, PlaceOfferState
from telehealth.waitlist.errors import BadWish, WaitsElsewhere
from telehealth.waitlist.policies import RECEPTION
from telehealth.waitlist.queries import EntryView
from telehealth.waitlist.rules import Wish, check_waits, check_wish, from_today
from telehealth.waitlist.services.line import close_offer, execute, free_again, locked, move, note, trail


@dataclass(frozen=True, slots=True)
class Join:
    """Who waits for what; `desk_id` is the facility whose desk puts them on the list."""

    patient_id: UUID
    wish: Wish
    coverage_basis: str = CoverageBasis.NONE
    desk_id: UUID | None = None

    @property
    def at_home(self) -> bool:
        """Tell whether the desk of the very facility puts them on its own list."""
        return self.desk_id is not None and self.desk_id == self.wish.facility_id


_JOIN = """
INSERT INTO waitlist_entry (
    id, patient_id, account_id, desk_id, service_code, facility_id, area, practitioner_id, modality,
    first_day, last_day, weekdays, from_minute, to_minute, channel, coverage_basis, bound, state, since,
    changed_at)
VALUES (%(id)s, %(patient)s, %(account)s, %(desk)s, %(service)s, %(facility)s, %(area)s, %(practitioner)s,
    %(modality)s, %(first)s, %(last)s, %(weekdays)s::smallint[], %(from)s, %(to)s, %(channel)s, %(coverage)s,
    %(bound)s, 'waiting', %(now)s, %(now)s)
ON CONFLICT (patient_id, service_code) WHERE state IN ('waiting', 'offered') DO NOTHING
"""
_CHANGE = """
UPDATE waitlist_entry SET
    facility_id = %(facility)s, area = %(area)s, practitioner_id = %(practitioner)s, modality = %(modality)s,
    first_day = %(first)s, last_day = %(last)s, weekdays = %(weekdays)s::smallint[], from_minute = %(from)s,
    to_minute = %(to)s, channel = %(channel)s, desk_id = coalesce(%(desk)s, desk_id),
    coverage_basis = %(coverage)s, looked_at = NULL, changed_at = %(now)s,
    bound = CASE WHEN %(at_home)s THEN %(bound)s::tstzrange
                 WHEN facility_id = %(facility)s AND coalesce(%(desk)s, desk_id) = %(facility)s THEN bound END
 WHERE patient_id = %(patient)s AND service_code = %(service)s AND state IN ('waiting', 'offered')
"""


def join(session: Session, principal: Principal, asked: Join, *, now: datetime) -> EntryView:
    """Put somebody on the list, or change what they wait for; their place in line is kept.

    One waits once for one service: who joins again has the same entry. Days before today are left out. Raises
    BadWish, Forbidden, WaitsElsewhere.
    """
    today = business_date(now)
    asked = replace(asked, wish=from_today(asked.wish, today))
    check_wish(asked.wish, today)
    _check_bound(asked)
    _check_reach(principal, asked)
    _check_names(session, asked)
    identifier = new_id()
    values = _values(principal, asked, identifier, now)
    fresh = execute(session, _JOIN, values)
    if not fresh:
        execute(session, _CHANGE, values)
    found = queries.waiting_for(session, asked.patient_id, asked.wish.service_code, now=now)
    if found is None:
        raise WaitsElsewhere
    if asked.wish.facility_id is not None:
        link_facility(session, asked.patient_id, asked.wish.facility_id, now)
    note(session, found.id, EventKind.JOINED if fresh else EventKind.CHANGED, now)
    trail(session, principal, "waitlist.join", found, now, fresh=str(fresh))
    return found


def leave(
    session: Session, principal: Principal, entry_id: UUID, *, now: datetime, outbox: Outbox
) -> EntryView:
    """Take somebody off the list; an open offer goes to the next. Left twice it is left once.

    Raises EntryUnknown, EntryOver.
    """
    found = locked(session, entry_id, now)
    if found.state is EntryState.LEFT:
        return found
    check_waits(found.state)
    if found.offer is not None and close_offer(session, found.offer.id, PlaceOfferState.WITHDRAWN, now):
        outbox.cancel(session, found.offer.id, now=now)
        free_again(session, found.offer.slot_id)
    move(session, entry_id, WAITS, EntryState.LEFT, now)
    note(session, entry_id, EventKind.LEFT, now)
    trail(session, principal, "waitlist.leave", found, now)
    return locked(session, entry_id, now)


def _check_reach(principal: Principal, asked: Join) -> None:
    """A family waits for its own; a desk puts people on the list for its own facility or any other's door."""
    if principal.kind is PrincipalKind.PATIENT:
        if asked.patient_id not in principal.patient_ids:
            raise Forbidden
    elif not principal.holds_at(asked.desk_id, *RECEPTION):
        raise Forbidden


def _check_bound(asked: Join) -> None:
    """Who is bound by a slip comes first, so only the desk that receives them may say so. Raises BadWish."""
    if asked.wish.bound is not None and not asked.at_home:
        raise BadWish({"bound_to": ["field-waitlist-bound-desk"]})


_NAMED = """
SELECT EXISTS (SELECT FROM patient t WHERE t.id = %(patient)s AND t.merged_into IS NULL) AS patient,
       EXISTS (SELECT FROM healthcare_service v WHERE v.code = %(service)s AND v.active
                  AND (%(facility)s::uuid IS NULL OR v.facility_id = %(facility)s::uuid)) AS service,
       %(practitioner)s::uuid IS NULL
       OR EXISTS (SELECT FROM practitioner d WHERE d.id = %(practitioner)s::uuid) AS practitioner
"""


def _check_names(session: Session, asked: Join) -> None:
    """Raise BadWish for what does not exist, or may not be seen."""
    wish = asked.wish
    row = (
        session.connection()
        .exec_driver_sql(
            _NAMED,
            {
                "patient": asked.patient_id,
                "service": wish.service_code,
                "facility": wish.facility_id,
                "practitioner": wish.practitioner_id,
            },
        )
        .one()
    )
    unknown = {
        "patient_id": [] if row.patient else ["field-waitlist-who"],
        "service": [] if row.service else ["field-waitlist-service"],
        "practitioner": [] if row.practitioner else ["field-waitlist-doctor"],
    }
    if any(unknown.values()):
        raise BadWish({name: keys for name, keys in unknown.items() if keys})


def _values(principal: Principal, asked: Join, identifier: UUID, now: datetime) -> dict[str, object]:
    wish = asked.wish
    return {
        "id": identifier,
        "patient": asked.patient_id,
        "account": principal.id,
        "desk": asked.desk_id,
        "service": wish.service_code,
        "facility": wish.facility_id,
        "area": wish.area,
        "practitioner": wish.practitioner_id,
        "modality": wish.modality,
        "first": wish.first_day,
        "last": wish.last_day,
        "weekdays": sorted(wish.weekdays),
        "from": wish.from_minute,
        "to": wish.to_minute,
        "channel": (Channel.DESK if asked.at_home else Channel.ONLINE).value,
        "coverage": asked.coverage_basis,
        "at_home": asked.at_home,
        "bound": None if wish.bound is None else TimestamptzRange(*wish.bound),
        "now": now,
    }
