"""The code systems of attendance."""

from enum import StrEnum


class Excuse(StrEnum):
    """Why a missed appointment does not count. `appeal`: the desk has heard the person and lets it go."""

    SICK = "sick"
    PRACTITIONER_LATE = "practitioner-late"
    DISASTER = "disaster"
    OUR_MISTAKE = "our-mistake"
    APPEAL = "appeal"
