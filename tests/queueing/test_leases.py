"""Leased numbers: lent once, settled once, each one accounted for, whoever asks how often at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing import queries
from telehealth.queueing.codes import HandedInReason, LeaseEnd, LeaseholderKind, NumberFate, PriorityClass
from telehealth.queueing.errors import (
    LeaseEnded,
    LeaseSuperseded,
    NumbersStillOpen,
    PressReused,
    QueueClosed,
    QueueFull,
)
from telehealth.queueing.leased import DayNumbers, handed_in, leases_of, numbers_of_the_day
from telehealth.queueing.models import NumberLease, Ticket, TicketEvent
from telehealth.queueing.services import arranging, leases
from telehealth.queueing.services.leases import IssuedNumber, Leaseholder, LeaseView, Settled, Tally
from telehealth.queueing.services.numbers import Holder
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Hospital

THREADS = 16
MINUTE = timedelta(minutes=1)

LEND_WITHOUT_THE_COUNTER = text(
    """
    WITH seen AS (SELECT coalesce(max(last), 0) AS last FROM trial_lease WHERE queue_id = :queue),
         pause AS (SELECT pg_sleep(0.002) FROM seen)
    INSERT INTO trial_lease (queue_id, first, last)
    SELECT :queue, seen.last + 1, seen.last + 5 FROM seen, pause RETURNING first
    """
)

LEND_WITHOUT_THE_LOCK = text(
    """
    WITH seen AS (SELECT last FROM queue_counter WHERE queue_id = :queue),
         pause AS (SELECT pg_sleep(0.02) FROM seen)
    INSERT INTO trial_lease SELECT seen.last + 1, seen.last + 4 FROM seen, pause RETURNING first
    """
)


def lend(
    hospital: Hospital, size: int = 5, *, code: str = "registration", request: str | None = None,
    holder: Leaseholder | None = None, now=MONDAY_8AM,
) -> LeaseView:  # fmt: skip
    queue_id = hospital.queue(code)
    with hospital.begin() as session:
        return leases.lease_block(
            session, hospital.kiosk, queue_id, holder or of_kiosk(hospital), size,
            request_id=request or uuid4().hex, now=now, cipher=hospital.cipher,
        )  # fmt: skip


def of_kiosk(hospital: Hospital, epoch: int = 1) -> Leaseholder:
    return Leaseholder(LeaseholderKind.KIOSK, hospital.device_id, epoch)


def settle(
    hospital: Hospital, lease: LeaseView, *issued: IssuedNumber, now=MONDAY_8AM + 30 * MINUTE
) -> list[Settled]:
    with hospital.begin() as session:
        return leases.settle_issued(
            session, hospital.kiosk, lease.id, issued, now=now, cipher=hospital.cipher
        )


def give_back(hospital: Hospital, lease: LeaseView, used_to: int, spoilt: Sequence[int] = ()) -> None:
    with hospital.begin() as session:
        leases.return_rest(
            session, hospital.kiosk, lease.id, used_to=used_to, spoilt=spoilt, now=MONDAY_8AM + 60 * MINUTE
        )


def day_of(hospital: Hospital, code: str = "registration", now=MONDAY_8AM) -> DayNumbers:
    queue_id = hospital.queue(code)
    with hospital.begin() as session:
        return numbers_of_the_day(session, queue_id, business_date(MONDAY_8AM), now)


def given(number: int, minutes: int = 1, press: str | None = None, **more) -> IssuedNumber:
    return IssuedNumber(number, press or f"press-{number}", MONDAY_8AM + minutes * MINUTE, **more)


def told(numbers: DayNumbers) -> list[tuple[int, int, str]]:
    return [(span.first, span.last, span.fate.value) for span in numbers.spans]


def test_a_block_comes_from_the_counter_and_presses_go_on_after_it(hospital: Hospital):
    assert hospital.number("registration").number_text == "A001"
    lease = lend(hospital)
    assert (lease.first, lease.last, lease.used_to) == (2, 6, 1)
    assert hospital.number("registration").number_text == "A007"


def test_the_same_request_gives_the_same_block_and_a_new_one_tops_up(hospital: Hospital):
    first = lend(hospital, request="morning")
    assert lend(hospital, request="morning") == first
    assert (lend(hospital, 3).first, first.last) == (6, 5)
    for other in ({"size": 4}, {"code": "cashier"}):
        with pytest.raises(PressReused):
            lend(hospital, request="morning", **other)


def test_a_block_keeps_within_band_and_contingent(hospital: Hospital):
    hospital.settle("registration", first_number=101, last_number=108, daily_limit=6)
    hospital.number("registration")
    assert (lend(hospital, 4).first, lend(hospital, 4).last) == (102, 106)
    with pytest.raises(QueueFull):
        lend(hospital, 1)
    with pytest.raises(QueueFull):
        hospital.number("registration")
    assert day_of(hospital).count(NumberFate.LEASED) == 5


def test_a_closed_queue_lends_nothing_and_a_merged_one_the_other_s_numbers(hospital: Hospital):
    hospital.number("P001")
    with hospital.begin() as session:
        arranging.merge(
            session, hospital.admin, hospital.queue("P002"), hospital.queue("P001"), now=MONDAY_8AM
        )
    lease = lend(hospital, code="P002", request="merged")
    assert (lease.queue.code, lease.first) == ("P001", 2)
    assert lend(hospital, code="P002", request="merged") == lease
    hospital.limit("cashier", None, active=False)
    with pytest.raises(QueueClosed):
        lend(hospital, code="cashier")


def test_a_day_that_was_closed_lends_nothing(hospital: Hospital):
    with hospital.begin() as session:
        arranging.set_room(
            session, hospital.admin, hospital.queue("P001"), hospital.point("P001"), is_open=False,
            now=MONDAY_8AM,
        )  # fmt: skip
    with pytest.raises(QueueClosed):
        lend(hospital, code="P001")


def test_what_was_given_out_stands_where_its_time_of_issue_puts_it(hospital: Hospital):
    hospital.number("registration", now=MONDAY_8AM)
    lease = lend(hospital)
    late = hospital.number("registration", now=MONDAY_8AM + 10 * MINUTE)
    outcome = settle(
        hospital, lease, given(3, 6, holder=Holder(priority=PriorityClass.PREGNANT)), given(2, 5),
    )  # fmt: skip
    assert [each.number for each in outcome] == [2, 3]
    with hospital.begin() as session:
        queue = queries.queue_by_id(session, hospital.queue("registration"))
        line = queries.line(session, queue, business_date(MONDAY_8AM), MONDAY_8AM + 31 * MINUTE)
        events = session.execute(
            select(TicketEvent.kind, TicketEvent.at, TicketEvent.actor_id).order_by(TicketEvent.id)
        ).all()
    assert [each.number_text for each in line.waiting] == ["A003", "A001", "A002", late.number_text]
    assert [(each.kind, each.at - MONDAY_8AM) for each in events[2:4]] == [
        ("issued", 5 * MINUTE), ("settled", 30 * MINUTE),
    ]  # fmt: skip
    assert {each.actor_id for each in events} == {hospital.device_id}


def test_settling_again_changes_nothing(hospital: Hospital):
    lease = lend(hospital)
    first = settle(hospital, lease, given(1), given(2))
    assert settle(hospital, lease, given(1), given(2), given(3))[:2] == first
    assert hospital.count(Ticket) == 3


def test_the_slip_of_a_leased_number_is_known_before_it_is_settled(hospital: Hospital, client, clock):
    lease = lend(hospital)
    token = lease.slip(1, hospital.cipher)
    assert client.get(f"/api/v1/tickets/{token}").status_code == 404
    settle(hospital, lease, given(1))
    assert client.get(f"/api/v1/tickets/{token}").json["number"] == "A001"


def test_what_contradicts_the_lease_or_another_press_is_kept_for_the_desk(hospital: Hospital):
    lease, other = lend(hospital), lend(hospital)
    outcome = settle(
        hospital, lease, given(1), given(1, press="second tab"), given(2, press="press-1"), given(7),
    )  # fmt: skip
    assert [each.why for each in outcome] == [
        None, HandedInReason.NUMBER_TAKEN, HandedInReason.PRESS_REUSED, HandedInReason.OUTSIDE_LEASE,
    ]  # fmt: skip
    assert settle(hospital, other, given(7))[0].ticket_id is not None
    with hospital.begin() as session:
        waiting = handed_in(session, hospital.id, hospital.cipher)
        assert [(each.number_text, each.why.value) for each in waiting] == [
            ("A001", "number-taken"), ("A002", "press-reused"), ("A007", "outside-lease"),
        ]  # fmt: skip
    assert hospital.count(Ticket) == 2


def test_the_holder_s_clock_is_held_between_the_lending_and_now(hospital: Hospital):
    lease = lend(hospital)
    settle(hospital, lease, given(1, -600), given(2, 20), given(3, 10), given(4, 5_000))
    with hospital.begin() as session:
        times = session.scalars(select(Ticket.issued_at).order_by(Ticket.number)).all()
    assert [each - MONDAY_8AM for each in times] == [0 * MINUTE, 20 * MINUTE, 20 * MINUTE, 30 * MINUTE]


def test_the_number_of_a_press_whose_answer_was_lost_is_taken_out_of_the_line(hospital: Hospital):
    lease = lend(hospital)
    ghost = hospital.number("registration", press_key="lost")
    settle(hospital, lease, given(1, instead_of="lost"))
    with hospital.begin() as session:
        statuses = dict(session.execute(select(Ticket.number, Ticket.status)).all())
    assert statuses == {1: "waiting", 6: "cancelled"}
    assert ghost.number_text == "A006"


def test_what_the_lost_number_knew_of_its_person_goes_over_to_the_one_they_hold(hospital: Hospital):
    lease = lend(hospital, code="P001")
    due = hospital.appointment(MONDAY_8AM + 10 * MINUTE)
    ghost = hospital.check_in(due, press_key="lost")
    settle(hospital, lease, given(1, 2, instead_of="lost"))
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.number == 1)).one()
        lost = session.get_one(Ticket, ghost.id)
    assert (ticket.patient_id, ticket.appointment_id) == (due.patient_id, due.id)
    assert (ticket.appointment_start, ticket.waiting_since) == (due.start_at, MONDAY_8AM)
    assert (ticket.visit_id, ticket.transferred_from_id) == (lost.visit_id, lost.id)
    assert lost.status == "cancelled"


def test_every_number_of_the_day_is_accounted_for(hospital: Hospital):
    hospital.number("registration")
    lease = lend(hospital)
    hospital.number("registration")
    settle(hospital, lease, given(2), given(4))
    assert told(day_of(hospital)) == [
        (1, 1, "issued"), (2, 2, "issued"), (3, 3, "leased"), (4, 4, "issued"),
        (5, 6, "leased"), (7, 7, "issued"),
    ]  # fmt: skip
    after = MONDAY_8AM + timedelta(hours=17)
    assert [(span.first, span.last) for span in day_of(hospital, now=after).unexplained] == [(3, 3), (5, 6)]
    give_back(hospital, lease, 4, [3])
    numbers = day_of(hospital, now=after)
    assert told(numbers) == [
        (1, 1, "issued"), (2, 2, "issued"), (3, 3, "spoilt"), (4, 4, "issued"),
        (5, 6, "unused"), (7, 7, "issued"),
    ]  # fmt: skip
    assert not numbers.unexplained
    assert {span.by for span in numbers.spans} == {"Kiosk sảnh A"}


def test_what_is_returned_is_said_once_and_never_given_again(hospital: Hospital):
    lease = lend(hospital)
    settle(hospital, lease, given(1))
    give_back(hospital, lease, 1)
    give_back(hospital, lease, 1)
    with pytest.raises(LeaseEnded):
        give_back(hospital, lease, 2)
    assert hospital.number("registration").number_text == "A006"
    assert lend(hospital).first == 7


def test_a_lease_does_not_end_on_numbers_that_people_hold(hospital: Hospital):
    lease = lend(hospital)
    settle(hospital, lease, given(1), given(3))
    for used_to, spoilt in ((1, []), (3, [3])):
        with pytest.raises(NumbersStillOpen):
            give_back(hospital, lease, used_to, spoilt)
    give_back(hospital, lease, 3, [2])


def test_a_slip_that_turns_up_after_the_lease_ended_counts_all_the_same(hospital: Hospital):
    lease = lend(hospital)
    give_back(hospital, lease, 0)
    assert settle(hospital, lease, given(2))[0].ticket_id is not None
    assert told(day_of(hospital)) == [(1, 1, "owed"), (2, 2, "issued"), (3, 5, "unused")]


def test_an_older_copy_of_a_holder_gets_no_numbers(hospital: Hospital):
    lend(hospital)
    lend(hospital, holder=of_kiosk(hospital, 2))
    with pytest.raises(LeaseSuperseded):
        lend(hospital)


def test_what_a_machine_hands_in_after_its_token_was_taken_waits_for_the_desk(hospital: Hospital):
    lease = lend(hospital)
    with hospital.begin() as session:
        leases.hand_in(session, lease.id, lease.key, [given(1), given(2)], now=MONDAY_8AM)
        leases.hand_in(session, lease.id, lease.key, [given(1)], now=MONDAY_8AM)
    with hospital.begin() as session:
        one, two = handed_in(session, hospital.id, hospital.cipher)
    assert (one.why, two.number_text) == (HandedInReason.DEVICE_REVOKED, "A002")
    assert told(day_of(hospital)) == [(1, 2, "handed-in"), (3, 5, "leased")]
    with hospital.begin() as session:
        settled = leases.settle_handed_in(
            session, hospital.doctor, one.id, now=MONDAY_8AM + MINUTE, cipher=hospital.cipher
        )
        leases.dismiss_handed_in(session, hospital.doctor, two.id, "Người bệnh đã về", now=MONDAY_8AM)
    assert settled.ticket_id == leases.leased_ticket_id(lease.id, 1)
    assert settle(hospital, lease, given(1))[0].ticket_id == settled.ticket_id
    assert settle(hospital, lease, given(2))[0].ticket_id is None
    assert hospital.count(Ticket) == 1


def test_nobody_hands_in_without_the_key(hospital: Hospital):
    lease = lend(hospital)
    with pytest.raises(NotFound), hospital.begin() as session:
        leases.hand_in(session, lease.id, "not the key", [given(1)], now=MONDAY_8AM)


def test_a_lease_of_a_revoked_machine_is_shown_as_owed(hospital: Hospital):
    lend(hospital)
    with hospital.begin() as session:
        row = leases_of(session, hospital.id, business_date(MONDAY_8AM))[0]
        assert not row.owes(MONDAY_8AM)
        session.execute(text("UPDATE device SET revoked_at = :now"), {"now": MONDAY_8AM})
        assert leases_of(session, hospital.id, business_date(MONDAY_8AM))[0].owes(MONDAY_8AM)


def test_the_database_refuses_leases_that_overlap(hospital: Hospital):
    lease = lend(hospital)
    with pytest.raises(IntegrityError, match="ex_number_lease_numbers"), hospital.begin() as session:
        session.execute(
            text(
                "INSERT INTO number_lease (id, facility_id, queue_id, business_date, holder_kind, holder_id,"
                " epoch, request_id, key_hash, asked, first, last, granted_at, expires_at, used_to)"
                " SELECT gen_random_uuid(), facility_id, queue_id, business_date, holder_kind, holder_id, 1,"
                " 'x', key_hash, 9, last, last, granted_at, expires_at, last - 1 FROM number_lease"
                " WHERE id = :id"
            ),
            {"id": lease.id},
        )


@pytest.mark.parametrize("lease_id", [None, "other"])
def test_the_database_refuses_a_ticket_with_a_number_of_another_s_lease(
    hospital: Hospital, lease_id: str | None
):
    lease, other = lend(hospital), lend(hospital)
    slip = hospital.number("registration")
    with pytest.raises(IntegrityError, match="belongs to a lease"), hospital.begin() as session:
        session.execute(
            text("UPDATE ticket SET number = :number, lease_id = :lease WHERE id = :id"),
            {"number": lease.first, "lease": other.id if lease_id else None, "id": slip.id},
        )


def test_the_database_refuses_a_lease_of_numbers_that_were_given(hospital: Hospital):
    hospital.number("registration")
    lease = lend(hospital)
    with pytest.raises(IntegrityError, match="was given"), hospital.begin() as session:
        session.execute(
            text(
                "INSERT INTO number_lease (id, facility_id, queue_id, business_date, holder_kind, holder_id,"
                " epoch, request_id, key_hash, asked, first, last, granted_at, expires_at, used_to)"
                " SELECT gen_random_uuid(), facility_id, queue_id, business_date, holder_kind, holder_id, 1,"
                " 'x', key_hash, 9, 1, 1, granted_at, expires_at, 0 FROM number_lease WHERE id = :id"
            ),
            {"id": lease.id},
        )


def test_the_application_cannot_move_a_lease(hospital: Hospital):
    lend(hospital)
    with pytest.raises(DatabaseError, match="permission denied"), hospital.begin() as session:
        session.execute(text("UPDATE number_lease SET last = last + 1"))


def test_leasers_against_presses_never_share_a_number(hospital: Hospital):
    queue_id = hospital.queue("registration")

    def take(turn: int) -> list[int]:
        if turn % 3:
            return [int(hospital.number("registration").number_text[1:])]
        lease = lend(hospital, 4)
        return list(range(lease.first, lease.last + 1))

    with ThreadPoolExecutor(THREADS) as pool:
        taken = [number for numbers in pool.map(take, range(60), timeout=60) for number in numbers]
    assert sorted(taken) == list(range(1, 20 * 4 + 40 + 1))
    with hospital.begin() as session:
        numbers = numbers_of_the_day(session, queue_id, business_date(MONDAY_8AM), MONDAY_8AM)
    assert not numbers.unexplained


def test_without_the_counter_two_leasers_get_the_same_numbers(
    hospital: Hospital, owner_engine: Engine, engine: Engine
):
    """The control: blocks from max(last) + 1, without the counter's row and the exclusion constraint."""
    queue_id = hospital.queue("registration")
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE trial_lease (queue_id uuid, first integer, last integer)")
    try:

        def take(_: int) -> int:
            with system_unit_of_work(engine) as session:
                return session.execute(LEND_WITHOUT_THE_COUNTER, {"queue": queue_id}).scalar_one()

        with ThreadPoolExecutor(THREADS) as pool:
            firsts = list(pool.map(take, range(60), timeout=60))
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE trial_lease")
    assert len(set(firsts)) < len(firsts)


def test_without_the_counter_s_lock_a_leaser_takes_what_presses_give(
    hospital: Hospital, owner_engine: Engine, engine: Engine
):
    """The control: the leaser reads where the counter stands, and steps it on afterwards."""
    queue_id = hospital.queue("registration")
    hospital.number("registration")
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE trial_lease (first integer, last integer)")
    try:

        def take(turn: int) -> list[int]:
            if turn % 3:
                return [int(hospital.number("registration").number_text[1:])]
            with system_unit_of_work(engine) as session:
                first = session.execute(LEND_WITHOUT_THE_LOCK, {"queue": queue_id}).scalar_one()
            return list(range(first, first + 4))

        with ThreadPoolExecutor(THREADS) as pool:
            taken = [number for numbers in pool.map(take, range(60), timeout=60) for number in numbers]
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE trial_lease")
    assert len(set(taken)) < len(taken)


def test_one_request_sent_many_times_at_once_lends_one_block(hospital: Hospital):
    with ThreadPoolExecutor(8) as pool:
        blocks = set(pool.map(lambda _: lend(hospital, request="bounced").first, range(16), timeout=60))
    assert blocks == {1}
    assert hospital.count(NumberLease) == 1
    assert hospital.number("registration").number_text == "A006"


def test_two_tabs_that_hand_in_the_same_at_once_write_each_number_once(hospital: Hospital):
    lease = lend(hospital, 10)
    issued = [given(number, number) for number in range(1, 11)]

    def tab(turn: int) -> set[UUID | None]:
        mine = issued if turn % 2 else list(reversed(issued))
        return {each.ticket_id for each in settle(hospital, lease, *mine)}

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(tab, range(16), timeout=60))
    assert all(each == seen[0] for each in seen)
    assert hospital.count(Ticket) == 10


def test_the_desk_enters_what_a_printed_list_gave_out(hospital: Hospital):
    holder = Leaseholder(LeaseholderKind.PAPER, hospital.account_id)
    lease = lend(hospital, 20, holder=holder)
    with hospital.begin() as session:
        leases.enter_used(
            session, hospital.doctor, lease.id, Tally(4, spoilt=frozenset({2}), seen=frozenset({1})),
            now=MONDAY_8AM + 30 * MINUTE, cipher=hospital.cipher,
        )  # fmt: skip
    assert told(day_of(hospital)) == [
        (1, 1, "issued"), (2, 2, "spoilt"), (3, 4, "issued"), (5, 20, "unused"),
    ]  # fmt: skip
    with hospital.begin() as session:
        ended = session.get_one(NumberLease, lease.id)
        tickets = session.execute(select(Ticket.status, Ticket.issued_at).order_by(Ticket.number)).all()
    assert (ended.end_reason, ended.used_to) == (LeaseEnd.ENTERED, 4)
    assert [(each.status, each.issued_at - MONDAY_8AM) for each in tickets] == [
        ("done", 0 * MINUTE), ("waiting", 10 * MINUTE), ("waiting", 20 * MINUTE),
    ]  # fmt: skip
