"""What a FHIR request may get wrong beyond what the JSON API refuses."""

from telehealth.core.errors import BadRequest, NotFound, Unprocessable


class BadParameter(BadRequest):
    """A search or operation parameter has a value that cannot be read."""

    code = "fhir-bad-parameter"


class UnknownParameter(BadRequest):
    """A parameter that is not supported, where the caller asked for strict handling."""

    code = "fhir-unknown-parameter"


class TooBroad(BadRequest):
    """A search that must name more: it would go through everything there is."""

    code = "fhir-too-broad"


class InvalidResource(Unprocessable):
    """The body is not the resource or the Parameters that this operation takes."""

    code = "fhir-invalid-resource"


class NotOffered(NotFound):
    """A proposed appointment whose time is not, or no more, on offer."""

    code = "fhir-not-offered"
