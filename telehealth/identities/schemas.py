"""What the API of doubles takes and gives."""

from marshmallow import Schema, fields

from telehealth.patients.schemas import PatientBody, Registration
from telehealth.web.api import RequestSchema


class DoublesRequest(Registration):
    """The person who is about to be registered, and the facility that asks."""


class DoublesBody(Schema):
    """People the facility knows who may be the same; whether another record in the province has a number."""

    candidates = fields.List(fields.Nested(PatientBody))
    known_elsewhere = fields.Boolean()


class MergeRequest(RequestSchema):
    """The record that goes into this one. `same_person`: the papers were seen."""

    merged_id = fields.UUID(required=True)
    same_person = fields.Boolean(required=True)
    keep = fields.List(
        fields.UUID(),
        load_default=list,
        metadata={"description": "Of each two appointments at one time, the one that stays."},
    )
    facility_id = fields.UUID()


__all__ = ["DoublesBody", "DoublesRequest", "MergeRequest", "PatientBody"]
