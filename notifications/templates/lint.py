"""What every text must keep to. Each problem is one sentence; the tests expect none."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from notifications.kinds import KINDS, LANGUAGES
from notifications.templates import (
    Catalogue,
    EmailWords,
    PushTemplate,
    Template,
    ZaloTemplate,
    fill,
    placeholders,
)
from notifications.templates.segments import measure

# The longest values that the product puts in; a message with them still fits into one segment.
LONGEST = {
    "facility": "B" * 24,
    "time": "08:30",
    "date": "Chủ Nhật 24/11",
    "code": "K" * 8,
    "number": "A 1234",
    "room": "Phòng khám số 12",
    "link": "h" * 60,
    "minutes": "10",
    "name": "N" * 44,
    "since": "08:30 24/11",
    "until": "08:30 24/11",
}
# Words that would tell a stranger who picks up the phone what somebody is treated for, or who they are.
TELLING = (
    "HIV", "ung bướu", "ung thư", "tâm thần", "da liễu", "sản", "phụ khoa", "lao", "nam khoa",
    "bệnh nhân", "chẩn đoán", "chuyên khoa", "xét nghiệm", "họ tên", "cancer", "psychiatr", "oncology",
    "diagnos", "specialty",
    "patient name", "gynaec", "tuberc",
)  # fmt: skip
SECRET = frozenset({"code", "link", "number"})
_ADDRESSING = re.compile(r"\banh/chị\b", re.IGNORECASE)


def problems(catalogue: Catalogue) -> list[str]:
    found = [f"Zalo knows two texts as {name}" for name in _shared_ids(catalogue)]
    for kind in KINDS.values():
        for template in (catalogue.template(kind.name, language) for language in LANGUAGES):
            where = f"{template.language}/{template.kind}"
            found += (f"{where}: {problem}" for problem in _template_problems(template, kind.params))
    return found


def _shared_ids(catalogue: Catalogue) -> list[str]:
    ids = Counter(template.zalo.template_id for template in catalogue if template.zalo.template_id)
    return [name for name, times in ids.items() if times > 1]


def _template_problems(template: Template, params: frozenset[str]) -> Iterator[str]:
    yield from _placeholder_problems(template, params)
    push = (template.push.title, template.push.body)
    yield from _word_problems((template.sms, *template.zalo.texts(), *push, *template.email_words.texts()))
    yield from _zalo_problems(template.zalo)
    yield from _push_problems(template.push, params)
    yield from _email_problems(template.email_words)
    size = measure(template.sms_text(LONGEST))
    if size.encoding != "GSM-7" or size.segments > 1:
        yield f"the SMS takes {size.segments} {size.encoding} segments ({size.units} units)"
    if measure(template.sms_text(LONGEST, accented=True)).segments > 3:
        yield "the accented SMS takes more than 3 segments"


def _placeholder_problems(template: Template, params: frozenset[str]) -> Iterator[str]:
    zalo = set(template.zalo.names)
    email = set().union(*(placeholders(text) for text in template.email_words.texts()))
    for channel, used in (("sms", placeholders(template.sms)), ("zalo", zalo), ("email", email)):
        if used != params:
            yield f"{channel} uses {sorted(used)} instead of {sorted(params)}"


def _word_problems(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text != unicodedata.normalize("NFC", text):
            yield f"not NFC: {text!r}"
        for word in TELLING:
            if re.search(rf"\b{word}", text, re.IGNORECASE):
                yield f"tells too much ({word}): {text!r}"
        if _ADDRESSING.search(text):
            yield f"Zalo refuses this form of address: {text!r}"


def _push_problems(push: PushTemplate, params: frozenset[str]) -> Iterator[str]:
    unknown = (placeholders(push.title) | placeholders(push.body)) - params
    if unknown:
        yield f"push uses {sorted(unknown)}, which the kind does not have"
    if "{link}" in push.title + push.body:
        yield "a push text has no link: the tap opens it"
    if len(fill(push.title, LONGEST)) > 50:
        yield "a push title has at most 50 characters: phones cut the rest off"
    if len(fill(push.body, LONGEST)) > 240:
        yield "a push text has at most 240 characters"


def _email_problems(words: EmailWords) -> Iterator[str]:
    if placeholders(words.subject) & SECRET:
        yield "a mail's subject is seen on a locked screen: no code or link in it"
    if not 9 <= len(fill(words.subject, LONGEST)) <= 78:
        yield "a mail's subject has 9 to 78 characters"
    if not words.paragraphs:
        yield "a mail says something"


def _zalo_problems(zalo: ZaloTemplate) -> Iterator[str]:
    filled = {text: fill(text, LONGEST) for text in zalo.texts()}
    if not 9 <= len(filled[zalo.title]) <= 65:
        yield "a Zalo title has 9 to 65 characters"
    if not 1 <= len(zalo.paragraphs) <= 4:
        yield "a Zalo template has 1 to 4 paragraphs"
    if any(not 9 <= len(filled[paragraph]) <= 400 for paragraph in zalo.paragraphs):
        yield "a Zalo paragraph has 9 to 400 characters"
    if zalo.rows and not 2 <= len(zalo.rows) <= 8:
        yield "a Zalo table has 2 to 8 rows"
    for label, value in zalo.rows:
        if not 3 <= len(label) <= 35 or not 3 <= len(filled[value]) <= 90:
            yield f"a Zalo table row has 3 to 35 and 3 to 90 characters: {label!r}"
    if any("{link}" in text for text in (zalo.title, *zalo.paragraphs)):
        yield "Zalo refuses a bare link in the text; it belongs on the button"
