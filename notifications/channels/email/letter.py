"""A message as an e-mail: plain text and the same as simple HTML, without anything that tells of opening."""

from collections.abc import Iterable, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from uuid import UUID

from notifications.channels.base import Outgoing
from notifications.templates import EmailWords, fill

_AUTOMATIC = {
    "vi": "Thư này được gửi tự động. Xin đừng trả lời thư này.",
    "en": "This message was sent automatically. Please do not reply to it.",
}
_ZONE = {"vi": "giờ Việt Nam", "en": "Viet Nam time"}
_MUTE = {"vi": "Không nhận loại thư này nữa", "en": "Stop messages of this kind"}

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{subject}</title>
</head>
<body style="margin:0;padding:24px 16px;background:#ffffff;color:#212b32;\
font:18px/1.5 Arial,Helvetica,sans-serif">
<main style="max-width:600px;margin:0 auto">
<h1 style="font-size:24px;line-height:1.3;margin:0 0 16px">{subject}</h1>
{content}
<p style="font-size:16px;color:#4c6272;margin:32px 0 0">{footer}</p>
</main>
</body>
</html>
"""


def letter(message: Outgoing, key: UUID, *, sender: str) -> EmailMessage:
    """Write it. Header names: RFC 5322, RFC 3834 (Auto-Submitted), RFC 2369 and 8058 (List-Unsubscribe)."""
    template = message.template
    words = template.email_words
    name, mailbox = parseaddr(sender)
    written = EmailMessage(policy=SMTP)
    written["From"] = Address(name, addr_spec=mailbox)
    written["To"] = message.address
    written["Subject"] = fill(words.subject, message.params)
    written["Date"] = format_datetime(message.now)
    written["Message-ID"] = message_id(key, mailbox)
    written["Content-Language"] = template.language
    written["Auto-Submitted"] = "auto-generated"
    written["X-Auto-Response-Suppress"] = "All"
    if message.unsubscribe_url:
        written["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        if message.unsubscribe_url.startswith("https:"):
            written["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    written.set_content(_text(message, words), cte="quoted-printable")
    written.add_alternative(_html(message, words), subtype="html", cte="quoted-printable")
    return written


def message_id(key: UUID, mailbox: str) -> str:
    """The same for every try, so that a repeated letter can be known."""
    return f"<{key}@{mailbox.rpartition('@')[2]}>"


def _text(message: Outgoing, words: EmailWords) -> str:
    params, language = _with_zone(message), message.template.language
    parts = [fill(paragraph, params) for paragraph in words.paragraphs]
    if words.rows:
        parts.append(
            "\n".join(f"{fill(label, params)}: {fill(value, params)}" for label, value in words.rows)
        )
    if words.button:
        parts.append(f"{fill(words.button[0], params)}:\n{fill(words.button[1], params)}")
    parts.append("-- \n" + _AUTOMATIC[language])
    if message.unsubscribe_url:
        parts.append(f"{_MUTE[language]}:\n{message.unsubscribe_url}")
    return "\n\n".join(parts) + "\n"


def _with_zone(message: Outgoing) -> Mapping[str, str]:
    """An e-mail is read anywhere in the world: its times say of which country they are."""
    params = message.params
    if "time" not in params:
        return params
    return {**params, "time": f"{params['time']} ({_ZONE[message.template.language]})"}


def _html(message: Outgoing, words: EmailWords) -> str:
    params, language = _with_zone(message), message.template.language

    def filled(text: str) -> str:
        return escape(fill(text, params))

    parts = [f'<p style="margin:0 0 16px">{filled(paragraph)}</p>' for paragraph in words.paragraphs]
    if words.rows:
        parts.append(_table((filled(label), filled(value)) for label, value in words.rows))
    if words.button:
        parts.append(_button(filled(words.button[0]), filled(words.button[1])))
    footer = escape(_AUTOMATIC[language])
    if message.unsubscribe_url:
        footer += f'<br><a href="{escape(message.unsubscribe_url)}">{escape(_MUTE[language])}</a>'
    return _PAGE.format(
        language=language, subject=filled(words.subject), content="\n".join(parts), footer=footer
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "\n".join(
        '<tr><th scope="row" style="text-align:left;vertical-align:top;padding:8px 16px 8px 0;'
        f'font-weight:normal;color:#4c6272">{label}</th>'
        f'<td style="vertical-align:top;padding:8px 0;font-weight:bold">{value}</td></tr>'
        for label, value in rows
    )
    return f'<table style="border-collapse:collapse;margin:0 0 24px">\n{lines}\n</table>'


def _button(label: str, address: str) -> str:
    """Only a web address becomes a link; the address is shown too, for readers who do not trust a button."""
    if not address.startswith(("https://", "http://")):
        return f'<p style="margin:0 0 16px">{label}: {address}</p>'
    return (
        f'<p style="margin:0 0 8px"><a href="{address}" style="display:inline-block;background:#005eb8;'
        f'color:#ffffff;padding:12px 20px;text-decoration:none;font-weight:bold">{label}</a></p>\n'
        f'<p style="font-size:16px;margin:0 0 16px;word-break:break-all">{address}</p>'
    )
