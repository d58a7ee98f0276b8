"""Writing queues: making them, giving numbers, calling people, telling boards."""

from telehealth.queueing.services import home as _home  # noqa: F401  names the database's refusals
from telehealth.queueing.services.arrivals import arrive_with_number, check_in, find_by_code
from telehealth.queueing.services.boards import announce, tell_boards
from telehealth.queueing.services.calling import call_next
from telehealth.queueing.services.near import tell_those_near
from telehealth.queueing.services.numbers import TicketView, note_print, public_token, take_number
from telehealth.queueing.services.onward import go_by
from telehealth.queueing.services.setup import ensure_all_queues, ensure_queues
from telehealth.queueing.services.staff import answer_staff_call, call_staff
from telehealth.queueing.services.steps import (
    TicketState,
    come_back,
    done,
    grant_priority,
    here,
    let_in_soon,
    park,
    recall,
    skip,
    start,
    take,
    transfer,
    undo_call,
    withdraw,
)
from telehealth.queueing.services.web import (
    arrive_by_slip,
    give_back,
    leaves_now,
    take_web_number,
    tidy_web_numbers,
)

__all__ = [
    "TicketState",
    "TicketView",
    "announce",
    "answer_staff_call",
    "arrive_by_slip",
    "arrive_with_number",
    "call_next",
    "call_staff",
    "check_in",
    "come_back",
    "done",
    "ensure_all_queues",
    "ensure_queues",
    "find_by_code",
    "give_back",
    "go_by",
    "grant_priority",
    "here",
    "leaves_now",
    "let_in_soon",
    "note_print",
    "park",
    "public_token",
    "recall",
    "skip",
    "start",
    "take",
    "take_number",
    "take_web_number",
    "tell_boards",
    "tell_those_near",
    "tidy_web_numbers",
    "transfer",
    "undo_call",
    "withdraw",
]
