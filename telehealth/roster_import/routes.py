"""Taking in a facility's roster file: looked at first, then done, by page and over the API."""

# mypy: disable-error-code="untyped-decorator"

import base64
import binascii
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from telehealth.directory.queries import facility_by_code
from telehealth.provincial_import.findings import Finding
from telehealth.roster_import import presentation
from telehealth.roster_import.errors import NoFile, RosterRefused
from telehealth.roster_import.rules import MOST_BYTES
from telehealth.roster_import.schemas import (
    RosterFileSchema,
    RosterImportQuerySchema,
    RosterImportSchema,
    RosterPreviewSchema,
)
from telehealth.roster_import.services import Asked, RosterFile, asked_by
from telehealth.schedule_editor.routes.api import previewed
from telehealth.schedule_editor.routes.blueprint import Errors, decide, editor, frame, place
from telehealth.schedule_editor.services import Edit, carry_out
from telehealth.scheduling.errors import PreviewRequired
from telehealth.web.context import now, permit, session, unit_of_work
from telehealth.web.guard import guarded

pages = Blueprint("roster_import", __name__, template_folder="templates", url_prefix="/desk/schedule/import")
api = ApiBlueprint("roster-import-api", __name__, url_prefix="/api/v1", description="Rosters from files")

_NAME = 100


@dataclass
class _Reading:
    """The file of a request, what it asks for, and what is wrong with it."""

    facility_id: UUID
    file: RosterFile
    asked: Asked | None = None
    findings: list[Finding] = field(default_factory=list)

    def edit(self) -> Edit:
        """Read it against what is stored now. Raises NoFile, FileTooLarge, RosterRefused."""
        with self._noting():
            self.asked = asked_by(session(), editor(self.facility_id), self.file, now=now())
        return Edit(self._write, self.asked.edit.asked)

    def _write(self, work: Session) -> UUID:
        with self._noting():
            if self.asked is None:
                raise NoFile
            return self.asked.edit.write(work)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except RosterRefused as refusal:
            self.findings = refusal.extra["findings"]
            raise

    def shown(self) -> dict[str, Any]:
        """Return what the preview shows besides, and carries along until it is saved."""
        return {
            "notes": presentation.notes(self.asked.plan) if self.asked else [],
            "kept": [
                ("name", self.file.name),
                ("complete", "yes" if self.file.complete else ""),
                ("kept", base64.b64encode(zlib.compress(self.file.raw, 9)).decode()),
            ],
        }


@pages.get("")
@guarded("schedule.change")
def upload() -> str:
    """Ask for the file."""
    return _page(place("schedule.change"), {}, [])


@pages.post("")
@guarded("schedule.change")
def take_in() -> ResponseReturnValue:
    """Show what a file does, or do it."""
    facility_id = place("schedule.change")
    reading = _Reading(facility_id, _posted())
    return decide(
        facility_id,
        "lines",
        reading.edit,
        lambda errors: _page(facility_id, errors, reading.findings),
        url_for("schedule_editor.lines"),
        shown=reading.shown,
    )


@api.post("/schedules/import")
@guarded("schedule.import")
@api.arguments(RosterImportQuerySchema(), location="query")
@api.arguments(RosterFileSchema(), location="files")
@api.response(200, {"anyOf": [RosterImportSchema, RosterPreviewSchema]})
def import_schedules(how: dict[str, Any], sent: dict[str, Any]) -> Response:
    """Take in a facility's roster file; each fault is named with its line.

    `dry_run` answers what it would do; `preview` names that answer's fingerprint to do it. The patients
    whom it touches are named to those who may list the facility's day (`booking.day`).
    """
    facility_id = facility_by_code(session(), how["facility"]).id
    permit("schedule.import", facility_id)
    file = _read(sent["file"], complete=how["complete"])
    try:
        asked = asked_by(session(), editor(facility_id), file, now=now())
        if how["dry_run"]:
            return previewed(facility_id, editor(facility_id), asked.edit, lines=asked.plan.counts)
        if how["preview"] is None:
            raise PreviewRequired
        with unit_of_work() as work:
            carry_out(work, editor(facility_id), asked.edit, how["preview"], now=now())
    except RosterRefused as refusal:
        findings = [presentation.finding_json(each) for each in refusal.extra["findings"]]
        raise RosterRefused(refusal.fields, extra={"findings": findings}) from refusal
    return jsonify(lines=asked.plan.counts)


def _posted() -> RosterFile:
    """Return the file that was chosen, or the one that the preview carried along."""
    complete = request.form.get("complete") == "yes"
    chosen = request.files.get("file")
    if chosen is not None and chosen.filename:
        return _read(chosen, complete=complete)
    return RosterFile(_name(request.form.get("name", "")), _kept(request.form.get("kept", "")), complete)


def _read(chosen: FileStorage, *, complete: bool) -> RosterFile:
    return RosterFile(_name(chosen.filename or ""), chosen.stream.read(MOST_BYTES + 1), complete)


def _name(text: str) -> str:
    return "".join(each for each in text if each.isprintable())[-_NAME:] or "rosters"


def _kept(text: str) -> bytes:
    """Return what the preview carried; nothing for what it never wrote."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), MOST_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError):
        return b""


def _page(facility_id: UUID, errors: Errors, findings: list[Finding]) -> str:
    return render_template(
        "roster_import/upload.html",
        **frame(facility_id, "lines"),
        findings=findings[: presentation.MOST_SHOWN],
        more=max(len(findings) - presentation.MOST_SHOWN, 0),
        told=presentation.finding_text,
        complete=request.form.get("complete") == "yes",
        most=MOST_BYTES // 1024,
        errors=errors,
    )
