"""What to bring, which grounds of insurance there are to choose from, whom one books for."""

from telehealth.booking.codes import CoverageBasis
from telehealth.directory.codes import Modality
from telehealth.directory.queries import ServiceView

# Shown in this order; the product asks and never computes what insurance pays.
GROUNDS = (
    CoverageBasis.REGISTERED_HERE,
    CoverageBasis.REFERRAL_SLIP,
    CoverageBasis.REEXAMINATION_SLIP,
    CoverageBasis.LISTED_DISEASE,
    CoverageBasis.TEMPORARY_RESIDENCE,
    CoverageBasis.ELSEWHERE,
    CoverageBasis.NONE,
)

# What the account is to the person who is looked after, by how people say it.
RELATIONS = {
    "self": "self",
    "my-child": "parent",
    "my-parent": "child",
    "my-spouse": "spouse",
    "my-relative": "relative",
    "other": "other",
}

_PAPERS = {
    CoverageBasis.REFERRAL_SLIP: "portal-bring-referral",
    CoverageBasis.REEXAMINATION_SLIP: "portal-bring-reexamination",
    CoverageBasis.LISTED_DISEASE: "portal-bring-listed",
    CoverageBasis.TEMPORARY_RESIDENCE: "portal-bring-residence",
}


def prepare(service: ServiceView | None, modality: str, locale: str) -> tuple[str, ...]:
    """Return how to get ready for a visit in person; before a screen nobody need fast or bring films."""
    if service is None or modality == Modality.VIDEO:
        return ()
    return service.preparation(locale)


def bring(coverage: str, modality: str, *, child: bool) -> list[str]:
    """Return the message keys of what to have at hand."""
    if modality == Modality.VIDEO:
        return ["portal-bring-quiet", "portal-bring-medicines", "portal-bring-battery"]
    papers = ["portal-bring-child" if child else "portal-bring-identity"]
    if coverage != CoverageBasis.NONE:
        papers.append("portal-bring-insurance")
    ground = next((text for basis, text in _PAPERS.items() if basis == coverage), None)
    if ground:
        papers.append(ground)
    return [*papers, "portal-bring-medicines"]
