"""Where banks' providers tell of transfers. The signature is all that guards this route."""

from flask import Blueprint, Response, jsonify, request

from telehealth.core.errors import NotFound
from telehealth.core.uow import system_unit_of_work
from telehealth.directory import queries as directory
from telehealth.payments import queries, services
from telehealth.payments.errors import UnsignedTransfer
from telehealth.payments.providers import PROVIDERS
from telehealth.payments.providers.call import Call
from telehealth.web.context import cipher, db, now
from telehealth.web.guard import public

blueprint = Blueprint("payment-webhooks", __name__, url_prefix="/webhooks/payments")


@blueprint.post("/<provider>/<facility_code>")
@public
def tell(provider: str, facility_code: str) -> Response:
    """Take in what the bank of a facility tells. Answers success also for what was told before."""
    read = PROVIDERS.get(provider)
    if read is None:
        raise NotFound
    headers = {name.lower(): value for name, value in request.headers.items()}
    with system_unit_of_work(db.engine) as session:
        facility = directory.facility_by_code(session, facility_code)
        account = queries.account_of(session, facility.id)
        if account is None or account.provider != provider:
            raise UnsignedTransfer
        call = Call(headers, request.get_data(cache=False))
        for incoming in read(call, services.secret_of(account, cipher()), now()):
            if incoming.account_no == account.account_no:
                services.receive(session, account.facility_id, provider, incoming, now=now(), cipher=cipher())
    return jsonify(success=True)
