"""The rules of slips as files: ours, or a province's copies in the folder REFERRAL_RULES_DIR names."""

import csv
import tomllib
from functools import lru_cache
from pathlib import Path

from telehealth.referrals.codes import RequestPriority
from telehealth.referrals.rules import ListedDisease, SlipRules, Span

DATA = Path(__file__).parent / "data"
_RULES, _LISTED = "slips.toml", "year_long_diseases.csv"


@lru_cache(maxsize=4)
def slip_rules(folder: str = "") -> SlipRules:
    """Read the rules. Raises KeyError or ValueError for a file that cannot be understood."""
    place = Path(folder) if folder else DATA
    read = tomllib.loads((place / _RULES).read_text(encoding="utf-8"))
    referral, again, escalation = read["referral"], read["reexamination"], read["escalation"]
    return SlipRules(
        version=read["version"],
        working_days=referral["working_days"],
        source=referral["source"],
        listed_years=referral["listed_years"],
        listed_source=referral["listed_source"],
        listed=_listed(place / _LISTED),
        early_days=again["early_days"],
        late_days=again["late_days"],
        reexamination_source=again["source"],
        tolerance_source=again["tolerance_source"],
        proposed_days=tuple(again["proposed_days"]),
        escalation_source=escalation["source"],
        escalation={each: _span(escalation[each]) for each in RequestPriority},
    )


def _span(given: dict[str, int]) -> Span:
    span = Span(**given)
    if bool(span.hours > 0) == bool(span.working_days > 0):
        msg = "a clock has either hours or working days"
        raise ValueError(msg)
    return span


def _listed(path: Path) -> tuple[ListedDisease, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            ListedDisease(row["codes"], row["name"], row["confirmed"] == "yes", row["source"])
            for row in csv.DictReader(file)
        )
