"""What is printed for a person."""

from typing import Any

import segno
from markupsafe import Markup

from telehealth.booking.codes import CoverageBasis
from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import business_date
from telehealth.directory.codes import Modality
from telehealth.patients.rules import is_child
from telehealth.web.context import (
    now,
)
from telehealth.web.localization import t


def paper(view: AppointmentView, born: str | None) -> dict[str, Any]:
    """Return what the slip of an appointment shows; `born`: a FHIR date."""
    return {
        "view": view,
        "qr": qr(view.code),
        "bring": [t(key) for key in _bring(view, child=is_child(born, business_date(now())))],
    }


def _bring(view: AppointmentView, *, child: bool) -> list[str]:
    """Return the message keys of what to have at hand."""
    if view.modality == Modality.VIDEO:
        return ["desk-bring-video"]
    papers = ["desk-bring-child" if child else "desk-bring-identity"]
    if view.coverage_basis != CoverageBasis.NONE:
        papers.append("desk-bring-insurance")
    if view.coverage_basis in (CoverageBasis.REFERRAL_SLIP, CoverageBasis.REEXAMINATION_SLIP):
        papers.append(f"desk-bring-{view.coverage_basis}")
    return [*papers, "desk-bring-medicines"]


def qr(text: str) -> Markup:
    """Draw a text as a QR code."""
    drawn = segno.make(text, error="m", micro=False).svg_inline(omitsize=True, border=2, title=t("desk-qr"))
    return Markup(drawn)  # noqa: S704  drawn by segno from our own text
