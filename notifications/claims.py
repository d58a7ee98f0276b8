"""Bad news that nobody signed: kept as it came, believed once the provider has said it again when asked."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifications.channels.provider import Carrier, Confirming, Unanswered
from notifications.channels.receipt import Claim, Receipt, Told

_log = logging.getLogger(__name__)

# eSMS answers for a week; after a day the message is past its use.
ASKED_FOR = timedelta(days=1)
_AT_ONCE = 50

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
ORDER BY claim.id LIMIT {_AT_ONCE}
"""


def unconfirmed(session: Session, providers: Sequence[str], *, now: datetime) -> list[Claim]:
    """The claims of these providers in the last day that no receipt has confirmed or belied."""
    rows = session.connection().exec_driver_sql(
        _OPEN, {"since": now - ASKED_FOR, "providers": list(providers)}
    )
    return [Claim(row.provider, row.key, row.ref, row.recorded) for row in rows]


def asked(claims: Iterable[Claim], carriers: Iterable[Carrier]) -> list[Receipt]:
    """What the providers say of these claims when they are asked. Takes time: not inside a transaction."""
    adapters: dict[str, object] = {carrier.provider: carrier.adapter for carrier in carriers}
    said = (_asked(adapters.get(claim.provider), claim) for claim in claims)
    return [receipt for receipt in said if receipt is not None]


def _asked(adapter: object, claim: Claim) -> Receipt | None:
    if not isinstance(adapter, Confirming):
        return None
    try:
        return adapter.confirmed(claim)
    except Unanswered as error:
        _log.warning("%s could not be asked about a failed message: %s", claim.provider, error)
        return None
