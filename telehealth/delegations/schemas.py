"""What the delegations API takes and gives."""

from marshmallow import Schema, fields, validate

from telehealth.delegations.rules import LONGEST_NAME, Scope
from telehealth.patients.models import Relation
from telehealth.web.api import RequestSchema


class DelegationRequest(RequestSchema):
    """Whom to let act. A patient gives the code that was sent to their own address; a desk names itself."""

    patient_id = fields.UUID(required=True)
    name = fields.String(required=True, validate=validate.Length(1, LONGEST_NAME))
    contact = fields.String(
        required=True,
        validate=validate.Length(1, 254),
        metadata={"description": "The telephone or e-mail address that they sign in with."},
    )
    relation = fields.String(
        load_default=Relation.RELATIVE.value,
        validate=validate.OneOf([relation.value for relation in Relation if relation != Relation.SELF]),
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf([scope.value for scope in Scope])), required=True
    )
    until = fields.Date(required=True, metadata={"description": "The last day, at most a year ahead."})
    challenge_id = fields.UUID()
    code = fields.String(validate=validate.Length(1, 16))
    facility_id = fields.UUID()
    identity_seen = fields.Boolean(load_default=False)


class CodeSent(Schema):
    """What the code will answer to."""

    challenge_id = fields.UUID()
    expires_in = fields.Integer(metadata={"description": "Seconds."})


class DelegationBody(Schema):
    """Who may do what for whom, until when."""

    id = fields.UUID()
    patient_id = fields.UUID()
    patient_name = fields.String(allow_none=True)
    delegate_name = fields.String()
    relation = fields.String()
    scopes = fields.List(fields.String())
    valid_from = fields.AwareDateTime(format="iso")
    valid_to = fields.AwareDateTime(format="iso")
    given_how = fields.String()
    revoked_at = fields.AwareDateTime(format="iso", allow_none=True)


class DelegationList(Schema):
    """`given`: who may act for the caller's people; `held`: for whom the caller may act."""

    given = fields.List(fields.Nested(DelegationBody))
    held = fields.List(fields.Nested(DelegationBody))
