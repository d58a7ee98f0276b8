"""Twilio's status callbacks."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook, key_of, without_phones

_TOLD = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Told.ACCEPTED),
    **dict.fromkeys(("delivered", "read"), Told.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "canceled"), Told.UNDELIVERED),
}


def status_receipts(webhook: Webhook, auth_token: str) -> list[Receipt]:
    """The signature covers the address and the form's fields (Twilio, "Validating requests")."""
    try:
        fields = dict(parse_qsl(webhook.body.decode("utf-8"), keep_blank_values=True))
    except UnicodeDecodeError:
        raise BadReceipt("the body is not a form") from None
    algorithm = get_signature_algorithm(webhook.headers.get(SIGNATURE_SETTINGS_HEADER.lower(), ""))
    signature = webhook.headers.get(SIGNATURE_HEADER.lower(), "")
    if not RequestValidator(auth_token).validate(webhook.url, fields, signature, algorithm):
        raise BadReceipt("the signature is wrong")
    sid, status = fields.get("MessageSid"), fields.get("MessageStatus", "")
    told = _TOLD.get(status)
    if sid is None or told is None:
        return []
    return [
        Receipt(
            provider="twilio",
            event_key=f"{sid}:{status}",
            told=told,
            key=key_of(parse_qs(urlsplit(webhook.url).query).get("key", [""])[0]),
            ref=sid,
            code=fields.get("ErrorCode"),
            raw=without_phones(fields),
        )
    ]
