"""Bad news that nobody signed: kept as it came, believed once the provider has said it again when asked."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifications.channels.provider import Carrier, Confirming, Unanswered
from notifications.channels.receipt import Claim, Receipt, Told

_log = logging.getLogger(__name__)

# eSMS answers for a week; after a day the message is past its use.
ASKED_FOR = timedelta(days=1)
_AT_ONCE = 50
# A question may take ten seconds, and the job comes round every fifteen.
_LONGEST_SECONDS = 5.0

# By lot, the newer the likelier: claims that nobody can answer must not keep the others from being asked.
_OPEN = f"""
SELECT claim.provider, claim.idem_key AS key, claim.provider_ref AS ref,
  (SELECT sent.provider_ref FROM notifications.delivery_attempt sent
   WHERE sent.idem_key = claim.idem_key AND sent.provider = claim.provider
     AND sent.provider_ref IS NOT NULL AND sent.outcome <> 'receipt'
   ORDER BY sent.id DESC LIMIT 1) AS recorded
FROM notifications.receipt claim
WHERE claim.status = '{Told.CLAIMED}' AND claim.received_at > %(since)s
  AND claim.notification_id IS NOT NULL AND claim.provider = ANY(%(providers)s)
  AND NOT EXISTS (
    SELECT FROM notifications.receipt told
    WHERE told.notification_id = claim.notification_id AND told.idem_key = claim.idem_key
      AND told.status IN ('{Told.DELIVERED}', '{Told.UNDELIVERED}'))
ORDER BY random() * extract(epoch FROM %(now)s - claim.received_at) LIMIT {_AT_ONCE}
"""


def unconfirmed(session: Session, providers: Sequence[str], *, now: datetime) -> list[Claim]:
    """The claims of these providers in the last day that no receipt has confirmed or belied."""
    rows = session.connection().exec_driver_sql(
        _OPEN, {"now": now, "since": now - ASKED_FOR, "providers": list(providers)}
    )
    return [Claim(row.provider, row.key, row.ref, row.recorded) for row in rows]


def asked(
    claims: Iterable[Claim],
    carriers: Iterable[Carrier],
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Receipt]:
    """What the providers say of these claims, as many as there is time for. Takes seconds: not inside a
    transaction."""
    adapters: dict[str, object] = {carrier.provider: carrier.adapter for carrier in carriers}
    in_time = _while_there_is_time(claims, monotonic)
    said = (_asked(adapters.get(claim.provider), claim) for claim in in_time)
    return [receipt for receipt in said if receipt is not None]


def _while_there_is_time(claims: Iterable[Claim], monotonic: Callable[[], float]) -> Iterator[Claim]:
    end = monotonic() + _LONGEST_SECONDS
    for claim in claims:
        if monotonic() > end:
            return
        yield claim


def _asked(adapter: object, claim: Claim) -> Receipt | None:
    if not isinstance(adapter, Confirming):
        return None
    try:
        return adapter.confirmed(claim)
    except Unanswered as error:
        _log.warning("%s could not be asked about a failed message: %s", claim.provider, error)
        return None
