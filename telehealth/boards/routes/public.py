"""What hangs in a hall; anybody may look at it."""

from flask import Blueprint, render_template, request, url_for

from telehealth.boards import queries
from telehealth.boards.speech import EDITION
from telehealth.directory import queries as directory
from telehealth.web.context import now, unit_of_work
from telehealth.web.guard import public

pages = Blueprint("boards", __name__, template_folder="../templates")

LONGEST_CODE = 40


@pages.get("/board/<string:facility_code>")
@public
def board(facility_code: str) -> str:
    """Show every number that a facility calls."""
    return _board(facility_code, None)


@pages.get("/board/<string:facility_code>/<string:area_code>")
@public
def area_board(facility_code: str, area_code: str) -> str:
    """Show the numbers called in one area."""
    return _board(facility_code, area_code[: LONGEST_CODE + 1])


def _board(facility_code: str, area_code: str | None) -> str:
    """`?part=side` is what changes besides the calls: who is next, who did not come, how it sounds."""
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, facility_code)
        area = queries.area(session, facility.id, area_code) if area_code else None
        state = queries.board_state(session, facility.id, area, now())
    here = (
        url_for("boards.area_board", facility_code=facility.code, area_code=area.code)
        if area
        else url_for("boards.board", facility_code=facility.code)
    )
    return render_template(
        "boards/_side.html" if request.args.get("part") == "side" else "boards/board.html",
        facility=facility,
        area=area,
        state=state,
        stream="/rt/boards/" + "/".join((facility.code, area.code) if area else (facility.code,)),
        side=f"{here}?part=side",
        clips=url_for("static", filename=f"voice/{EDITION}"),
        now=now(),
    )
