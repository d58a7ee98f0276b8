"""What anybody may look at: the page behind a slip."""

import segno
from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.queueing import queries
from telehealth.web.context import now, unit_of_work
from telehealth.web.guard import public

pages = Blueprint("queueing", __name__, template_folder="../templates")

LONGEST_NUMBER = 20


@pages.get("/t/<string:public_token>")
@public
def follow(public_token: str) -> ResponseReturnValue:
    """Follow a number from a phone; `?part=state` is just what changes."""
    with unit_of_work() as session:
        found = queries.follow(session, public_token, now())
    if found is None:
        raise NotFound
    asked = request.args.get("number", "").strip()[:LONGEST_NUMBER]
    share = url_for("queueing.follow", public_token=public_token, _external=True)
    part = "queueing/_follow_state.html" if request.args.get("part") == "state" else "queueing/follow.html"
    return render_template(
        part,
        ticket=found,
        token=public_token,
        today=found.business_date == business_date(now()),
        share=share,
        code=_drawn(share) if found.come_by is not None else None,
        asked=asked,
        answer=found.line.why(found.ticket_id, asked, now()) if asked else None,
        before_me=found.before_me(now()),
        unheard=found.unheard_since(now()),
        now=now(),
    )


def _drawn(address: str) -> Markup:
    """Draw the code that lets the holder of a number from the web in: its page's own address."""
    picture = segno.make(address, error="m").svg_inline(
        border=2, omitsize=True, svgclass=None, lineclass=None
    )
    return Markup(picture)  # noqa: S704  drawn by us
