"""Pure rules of the limits against touts."""

from collections.abc import Mapping

from telehealth.anomalies.codes import LimitName

LOWEST, HIGHEST = 1, 500


def limit_faults(limits: Mapping[LimitName, int | None]) -> dict[str, list[str]]:
    """Return message keys by field: each limit is a whole number that lets somebody book at all."""
    return {
        name.field: ["anomalies-limit-wrong"]
        for name in LimitName
        if not LOWEST <= (limits.get(name) or 0) <= HIGHEST
    }


def limits_version(limits: Mapping[LimitName, int]) -> str:
    """Return what names a state of the limits: they are their own version (`12-15-6`)."""
    return "-".join(str(limits.get(name, "")) for name in LimitName)
