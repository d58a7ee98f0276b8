"""Why a visit does not change."""

from telehealth.core.errors import Conflict


class EncounterOver(Conflict):
    """The visit is finished or was cancelled."""

    code = "encounter-over"
