"""Which service a clerk means. What is likely is offered to be taken with one key, never chosen for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import business_date
from telehealth.directory import queries as directory


class Why(StrEnum):
    """Why a service is suggested."""

    LAST_VISIT = "last-visit"
    LAST_BOOKED = "last-booked"


@dataclass(frozen=True, slots=True)
class Offered:
    """Services by code and name, those of the facility first. `only`: its one service, if it has but one."""

    names: Mapping[str, str]
    only: str | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A service that may be meant. `day`: of the person's last visit."""

    service: str
    name: str
    why: Why
    day: date | None = None


def offered_at(session: Session, facility_id: UUID, locale: str) -> Offered:
    """Return what a facility's desk may book: its own services, then those of the province."""
    own = {each.code: each.name(locale) for each in directory.services_of(session, facility_id)}
    every = {each.code: each.name(locale) for each in directory.service_catalogue(session, online_only=False)}
    return Offered(own | {code: name for code, name in every.items() if code not in own}, _only(own))


def suggestions(offered: Offered, last: AppointmentView | None, booked: str | None) -> list[Suggestion]:
    """Return what the person came for last, then what this desk booked last, each service once."""
    found = []
    if last is not None and last.service.code in offered.names:
        code = last.service.code
        found.append(Suggestion(code, offered.names[code], Why.LAST_VISIT, business_date(last.start)))
    if booked and booked in offered.names and booked not in {each.service for each in found}:
        found.append(Suggestion(booked, offered.names[booked], Why.LAST_BOOKED))
    return found


def _only(own: Mapping[str, str]) -> str | None:
    return next(iter(own)) if len(own) == 1 else None
