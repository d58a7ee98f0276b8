"""What the patients API takes and gives."""

from typing import Any

from marshmallow import Schema, fields, validate

from telehealth.patients.models import Relation, Sex
from telehealth.patients.services import NewPatient
from telehealth.web.api import RequestSchema

_SEXES = [sex.value for sex in Sex]
_RELATIONS = [relation.value for relation in Relation]


def _text(longest: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=longest), **options)


class PatientFields(RequestSchema):
    """What may be said of a person; also nested in a booking."""

    full_name = fields.String(required=True, validate=validate.Length(min=1, max=200))
    birth_date = _text(10, metadata={"description": "FHIR date: YYYY, YYYY-MM or YYYY-MM-DD."})
    birth_year = fields.Integer(strict=True, validate=validate.Range(1880, 2200))
    sex = fields.String(load_default="unknown", validate=validate.OneOf(_SEXES))
    phone = _text(32, allow_none=True)
    email = _text(254, allow_none=True)
    national_id = _text(20, allow_none=True)
    insurance_no = _text(24, allow_none=True)
    passport_no = _text(24, allow_none=True)
    nationality = fields.String(load_default="VN", validate=validate.Regexp(r"\A[A-Z]{2}\Z"))
    guardian_id = fields.UUID(allow_none=True)
    address = _text(300, allow_none=True)
    relation = fields.String(validate=validate.OneOf(_RELATIONS))


class Registration(PatientFields):
    """A person, and for staff the facility that knows them from now on; who works at one need not say."""

    facility_id = fields.UUID()


class PatientChange(RequestSchema):
    """What may be changed of a person; what is not named stays."""

    full_name = fields.String(validate=validate.Length(min=1, max=200))
    birth_date = _text(10)
    sex = fields.String(validate=validate.OneOf(_SEXES))
    phone = _text(32, allow_none=True)
    email = _text(254, allow_none=True)
    national_id = _text(20)
    insurance_no = _text(24)
    passport_no = _text(24)
    nationality = fields.String(validate=validate.Regexp(r"\A[A-Z]{2}\Z"))
    address = _text(300, allow_none=True)


class PatientBody(Schema):
    """A person; numbers are masked but for the last four characters."""

    id = fields.UUID()
    full_name = fields.String()
    birth_date = fields.String(allow_none=True)
    sex = fields.String()
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    national_id_masked = fields.String(allow_none=True)
    insurance_no_masked = fields.String(allow_none=True)
    passport_no_masked = fields.String(allow_none=True)
    nationality = fields.String()
    address = fields.String(allow_none=True)
    guardian_id = fields.UUID(allow_none=True)
    unidentified = fields.Boolean()
    relation = fields.String(allow_none=True)
    version = fields.Integer()
    warnings = fields.List(fields.String(), metadata={"description": "Doubts about a number; no refusal."})


class PatientList(Schema):
    """The caller and their family."""

    items = fields.List(fields.Nested(PatientBody))


class TrailRow(Schema):
    """Somebody looked at the person or changed something."""

    at = fields.AwareDateTime(format="iso")
    actor_kind = fields.String()
    actor = fields.String(allow_none=True)
    action = fields.String()


class Trail(Schema):
    """Who looked, the newest first."""

    items = fields.List(fields.Nested(TrailRow))


class OwnRecord(RequestSchema):
    """The name and date of birth in one's own record."""

    full_name = fields.String(required=True, validate=validate.Length(min=1, max=200))
    birth_date = fields.String(required=True, validate=validate.Length(min=4, max=10))


def new_patient(body: dict[str, Any]) -> NewPatient:
    """Return the person a valid body describes."""
    return NewPatient(**{name: value for name, value in body.items() if value is not None})
