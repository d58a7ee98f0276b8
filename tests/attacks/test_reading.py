"""Reading changes nothing: link previews, crawlers and the back button are harmless (RFC 9110, 9.2.1)."""

from collections.abc import Iterator

from werkzeug.routing import AnyConverter, Rule

from tests.attacks.test_object_access import aimed
from tests.attacks.town import HISTORY, Town

READERS = ("anonymous", "lan", "desk", "practitioner", "facility-admin", "kiosk")
# What reading may leave behind, each for a reason:
# - audit_event: every look at a patient's data is written down;
# - login_event: a sign-in that ended is noted;
# - access_session.last_seen_at: at most once a minute, so that an idle sign-in can end.
# Town's sessions were last seen in the far future, so that the third does not even happen here.
MAY_CHANGE = {"public.audit_event", "public.login_event"}


def readable(town: Town) -> Iterator[str]:
    """Every address that GET answers, naming records that exist where it names any."""
    values = aimed(town) | {
        "code": "77001",
        "facility_code": "77001",
        "facility_id": str(town.rows("SELECT id FROM facility WHERE code = '77001'")[0][0]),
        "public_token": town.records["ticket"]["public_token"],
        "slot_id": town.records["free slot"],
        "language": "en",
        "token": "x" * 32,
        "filename": "nothing.js",
    }
    unknown = "00000000-0000-0000-0000-000000000001"
    for rule in town.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            filled = {name: values.get(name, _one_of(rule, name) or unknown) for name in rule.arguments}
            with town.app.test_request_context():
                yield town.app.url_map.bind("localhost").build(rule.endpoint, filled, method="GET")
    code = town.records["appointment"]["code"]
    yield f"/a/{code}"
    yield "/api/v1/slots?service=internal&facility=77001"
    yield "/api/v1/queues?facility=77001"
    yield "/api/v1/appointments?facility=77001"
    yield "/book/times?service=internal"


def _one_of(rule: Rule, name: str) -> str:
    """Return a value of an argument that takes only some."""
    converter = rule._converters[name]
    return min(converter.items) if isinstance(converter, AnyConverter) else ""


def test_reading_every_address_as_everybody_changes_nothing(lived_in: Town) -> None:
    assert HISTORY == MAY_CHANGE
    addresses = sorted(set(readable(lived_in)))
    before, changed = lived_in.hashes(), []
    for who in READERS:
        for path in addresses:
            browser = path.startswith("/api/")
            caller = lived_in.caller(who)
            answer = caller.get(path) if browser else caller.browser().get(path)
            assert answer.status_code != 500, (who, path)
        after = lived_in.hashes()
        changed += [f"{who}: {name}" for name in after if after[name] != before[name]]
        before = after
    assert changed == []


def test_a_head_request_changes_nothing_either(lived_in: Town) -> None:
    before = lived_in.hashes()
    for path in sorted(set(readable(lived_in))):
        assert lived_in.caller("lan").browser().head(path).status_code != 500, path
    assert lived_in.hashes() == before
