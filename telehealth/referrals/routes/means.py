"""What the views of requests share: the rules of this province, and the request that is meant."""

from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.directory.remote_care import RemoteCare, remote_care
from telehealth.referrals import queries
from telehealth.referrals.queries import RequestView
from telehealth.referrals.rulebook import slip_rules
from telehealth.referrals.services import Means
from telehealth.web.context import answer_links, cipher, now, outbox, permit, settings


def care() -> RemoteCare:
    """Return the list of remote care that this province uses."""
    return remote_care(settings().environ.get("REMOTE_CARE_DIR", ""))


def means() -> Means:
    """Return what services ask of this request."""
    rules = slip_rules(settings().environ.get("REFERRAL_RULES_DIR", ""))
    return Means(now(), cipher(), outbox(), answer_links(), rules, care())


def allowed(session: Session, request_id: UUID, action: str) -> RequestView:
    """Return a request that the caller may act on. Raises NotFound, Forbidden."""
    view = queries.request(session, request_id, **means().reading)
    if view is None:
        raise NotFound
    permit(action, view.scope)
    return view
