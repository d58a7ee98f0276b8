"""The JSON API: OpenAPI 3.1 from the schemas, our problem documents for every refusal."""

from typing import Any

from flask_smorest import Api
from marshmallow import EXCLUDE, RAISE, Schema, fields


class RequestSchema(Schema):
    """What a caller sends: a field we do not know is refused, never ignored (ASVS 15.3.3)."""

    class Meta:
        unknown = RAISE


class QuerySchema(Schema):
    """What a caller asks in the address; unknown parameters (tracking of links) are left out."""

    class Meta:
        unknown = EXCLUDE


class ProblemSchema(Schema):
    """RFC 9457 problem document."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String(metadata={"description": "Stable; programs branch on it."})
    detail = fields.String(metadata={"description": "For people, in the asked language."})
    fields_ = fields.Dict(data_key="fields", metadata={"description": "Field name to messages."})
    request_id = fields.String()


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest without its error bodies: web/errors.py answers every refusal."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self, **_options: Any) -> None:
        """Leave refusals to web/errors.py."""
