"""Boards and queue places as server-sent events."""

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from telehealth.core.clock import business_date
from tests.realtime.harness import Guest, Rooms, Server, Somebody, running

pytestmark = pytest.mark.xdist_group("realtime")

Database = psycopg.Connection[Any]


A_FACILITY = {
    "name": "Bệnh viện Bà Rịa",
    "name_search": "benh vien ba ria",
    "name_sort": "benh vien ba ria",
    "kind": "hospital",
    "care_level": "basic",
    "address": "",
    "area": "",
    "province": "",
    "hotline": "",
    "hours": "{}",
    "after_hours": "{}",
    "active": True,
}
A_QUEUE = {
    "code": "P1",
    "name": "Phòng 1",
    "kind": "clinic",
    "prefix": "A",
    "minutes_per_visit": 8,
    "active": True,
}
AN_AREA = {
    "name": "Sảnh A",
    "least_seconds": 6,
    "languages": "vi-en",
    "dialect": "south",
    "volume": 80,
    "muted": False,
    "version": 1,
}
A_TICKET = {
    "business_date": "2026-11-30",
    "number": 1,
    "status": "waiting",
    "version": 1,
    "priority_class": "none",
    "print_status": "unprinted",
    "issued_at": "2026-11-30T01:00:00Z",
    "waiting_since": "2026-11-30T01:00:00Z",
    "purpose": "other",
    "call_count": 0,
}


def insert(database: Database, table: str, values: dict[str, Any]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join([sql.Placeholder()] * len(values))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), columns, places)
    database.execute(statement, list(values.values()))


class Stream:
    """One open event stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.status = response.status

    def event(self) -> dict[str, Any]:
        """Return the next event; comments and retry hints are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            if line == "":
                raise EOFError
            if line == "\n":
                if "data" in fields:
                    return {"id": fields.get("id"), "name": fields["event"], **json.loads(fields["data"])}
                fields = {}
                continue
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value


@contextmanager
def following(server: Server, path: str, last_event_id: int | str | None = None) -> Iterator[Stream]:
    connection = http.client.HTTPConnection(server.address, timeout=8)
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    connection.request("GET", path, headers=headers)
    try:
        yield Stream(connection.getresponse())
    finally:
        connection.close()


class Board:
    """A facility whose queueing side writes events."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.id = uuid4()
        self.code = f"T{self.id.hex[:6]}"
        self.path = f"/rt/boards/{self.code}"
        insert(
            database, "facility", A_FACILITY | {"id": self.id, "code": self.code, "national_code": self.code}
        )

    def call(self, seq: int, number: str, at: datetime | None = None) -> None:
        self.tell(seq, "called", {"number": number}, at=at)

    def tell(
        self,
        seq: int,
        kind: str,
        body: dict[str, Any],
        *,
        queue: UUID | None = None,
        point: UUID | None = None,
        at: datetime | None = None,
    ) -> None:
        at = at or datetime.now(UTC)
        self.database.execute(
            """
            INSERT INTO board_event (facility_id, seq, kind, body, queue_id, service_point_id, business_date,
                                     created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (self.id, seq, kind, json.dumps(body), queue, point, business_date(at), at),
        )
        self.database.execute("SELECT pg_notify('board', %s)", (str(self.id),))

    def queue(self, code: str) -> UUID:
        queue = uuid4()
        insert(self.database, "queue", A_QUEUE | {"id": queue, "facility_id": self.id, "code": code})
        return queue

    def area(self, code: str, *queues: UUID) -> str:
        """Give an area boards of its own; returns the address of their stream."""
        area = uuid4()
        insert(self.database, "board_area", AN_AREA | {"id": area, "facility_id": self.id, "code": code})
        for queue in queues:
            insert(self.database, "board_area_queue", {"area_id": area, "queue_id": queue})
        return f"{self.path}/{code}"


@pytest.fixture
def board(database: Database) -> Board:
    return Board(database)


def test_a_new_board_begins_with_the_last_five_calls_and_goes_on(one: Server, board: Board) -> None:
    for seq in range(1, 8):
        board.call(seq, f"A{seq:03}")
    with following(one, board.path) as stream:
        snapshot = stream.event()
        assert (snapshot["name"], snapshot["id"]) == ("snapshot", "7")
        assert [call["number"] for call in snapshot["calls"]] == ["A003", "A004", "A005", "A006", "A007"]
        board.call(8, "A008")
        called = stream.event()
        assert (called["name"], called["id"], called["number"]) == ("called", "8", "A008")


def test_a_board_that_was_away_gets_just_what_it_missed(one: Server, two: Server, board: Board) -> None:
    board.call(1, "A001")
    with following(one, board.path) as stream:
        last = stream.event()["id"]
    board.call(2, "A002")
    board.call(3, "A003")
    with following(two, board.path, last) as stream:
        assert [stream.event()["number"] for _ in range(2)] == ["A002", "A003"]
        board.call(4, "A004")
        assert stream.event()["number"] == "A004"


def test_a_board_that_missed_very_much_still_calls_whoever_is_expected(one: Server, board: Board) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    for seq in range(1, 42):
        board.call(seq, f"A{seq:03}", long_ago)
    for seq in range(42, 61):
        board.call(seq, f"A{seq:03}")
    board.tell(61, "missed", {"number": "A044"})
    board.tell(62, "withdrawn", {"number": "A045"})
    with following(one, board.path, 1) as stream:
        snapshot = stream.event()
    assert (snapshot["name"], snapshot["id"], snapshot["missed"]) == ("snapshot", "62", ["A044"])
    expected = [f"A{seq:03}" for seq in range(42, 61) if seq not in (44, 45)]
    assert [call["number"] for call in snapshot["calls"]] == expected
    with following(one, board.path) as stream:
        assert [call["number"] for call in stream.event()["calls"]] == expected[-5:]


def test_a_recall_does_not_push_other_numbers_off_the_board(one: Server, board: Board) -> None:
    for seq, number in enumerate(["A001", "A002", "A003", "A003", "A003", "A002"], 1):
        board.call(seq, number)
    with following(one, board.path) as stream:
        assert [call["number"] for call in stream.event()["calls"]] == ["A001", "A003", "A002"]


def test_yesterdays_calls_are_not_shown(one: Server, board: Board) -> None:
    board.call(1, "A001", datetime.now(UTC) - timedelta(days=1))
    with following(one, board.path) as stream:
        assert stream.event()["calls"] == []


def test_a_board_of_an_area_gets_its_own_calls_and_after_an_absence_all_of_them(
    one: Server, two: Server, board: Board
) -> None:
    ours, theirs = board.queue("P1"), board.queue("P2")
    path = board.area("sanh-a", ours)
    board.tell(1, "called", {"number": "B001"}, queue=theirs)
    board.tell(2, "called", {"number": "A001"}, queue=ours)
    with following(one, path) as stream:
        snapshot = stream.event()
        assert [call["number"] for call in snapshot["calls"]] == ["A001"]
        assert snapshot["id"] == "2"
    # Busy neighbours push nothing of ours out of what is replayed.
    for seq in range(3, 103):
        board.tell(seq, "called", {"number": f"B{seq:03}"}, queue=theirs)
    for seq in range(103, 123):
        board.tell(seq, "called", {"number": f"A{seq:03}"}, queue=ours)
    with following(two, path, 2) as stream:
        assert [stream.event()["number"] for _ in range(20)] == [f"A{seq:03}" for seq in range(103, 123)]
        board.tell(123, "called", {"number": "B123"}, queue=theirs)
        board.tell(124, "called", {"number": "A124"}, queue=ours)
        assert stream.event()["number"] == "A124"


def test_a_call_carries_the_clips_that_speak_it(one: Server, board: Board) -> None:
    body = {
        "number": "5-021",
        "room": "Phòng khám 5",
        "place": "clinic",
        "door": "5",
        "kind": "call",
        "next": [],
    }
    with following(one, board.path) as stream:
        stream.event()
        board.tell(1, "called", body, queue=board.queue("P5"))
        say = stream.event()["say"]
    assert say["vi"] == ["call", "five", ",", "two", "tens", "one-after-tens", ",", "to", "clinic", "five"]
    assert say["en"][:4] == ["call", "five", ",", "twenty"]


def test_who_did_not_come_and_what_was_a_mistake_reach_the_board(one: Server, board: Board) -> None:
    board.call(1, "A001")
    board.call(2, "A002")
    board.call(3, "A003")
    for seq, kind, number in (
        (4, "missed", "A001"), (5, "missed", "A002"), (6, "returned", "A001"), (7, "withdrawn", "A003"),
    ):  # fmt: skip
        board.tell(seq, kind, {"number": number})
    with following(one, board.path) as stream:
        snapshot = stream.event()
        assert snapshot["missed"] == ["A002"]
        assert [call["number"] for call in snapshot["calls"]] == ["A001", "A002"]
        board.tell(8, "missed", {"number": "A001"})
        assert stream.event()["name"] == "missed"


def test_a_board_whose_area_is_arranged_anew_comes_back_and_sees_by_the_new_rule(
    one: Server, board: Board, database: Database
) -> None:
    ours, theirs = board.queue("P1"), board.queue("P2")
    path = board.area("sanh-a", ours)
    with following(one, path) as stream, following(one, board.path) as whole:
        stream.event()
        whole.event()
        area = database.execute("SELECT id FROM board_area WHERE facility_id = %s", (board.id,)).fetchone()[0]
        insert(database, "board_area_queue", {"area_id": area, "queue_id": theirs})
        board.tell(1, "area", {"area": "sanh-a"})
        assert stream.event()["name"] == "area"
        with pytest.raises(EOFError):
            stream.event()
        board.tell(2, "called", {"number": "B001"}, queue=theirs)
        assert whole.event()["number"] == "B001"
    with following(one, path, 1) as stream:
        assert stream.event()["number"] == "B001"


@pytest.mark.parametrize("last", ["abc", "-1", "9" * 40, "99"])
def test_an_odd_last_event_id_begins_anew(one: Server, board: Board, last: str) -> None:
    board.call(1, "A001")
    with following(one, board.path, last) as stream:
        assert stream.event()["name"] == "snapshot"


@pytest.mark.parametrize(
    "path", ["/rt/boards/NOWHERE", "/rt/boards/" + "x" * 500, "/rt/tickets/nothing", "/rt/boards/NO/area"]
)
def test_what_is_not_there_is_404(one: Server, path: str) -> None:
    with following(one, path) as stream:
        assert stream.status == 404


def a_ticket(database: Database, facility: UUID, token: str) -> tuple[UUID, UUID]:
    """Return (queue, ticket)."""
    queue, ticket = uuid4(), uuid4()
    insert(database, "queue", A_QUEUE | {"id": queue, "facility_id": facility})
    insert(
        database,
        "ticket",
        A_TICKET
        | {
            "id": ticket,
            "queue_id": queue,
            "facility_id": facility,
            "public_token_hash": sha256(token.encode()).digest(),
        },
    )
    return queue, ticket


def test_who_holds_a_slip_hears_of_every_change_of_the_queue(
    one: Server, database: Database, board: Board
) -> None:
    token = uuid4().hex
    queue, ticket = a_ticket(database, board.id, token)
    with following(one, f"/rt/tickets/{token}") as stream:
        assert stream.event()["status"] == "waiting"
        database.execute("UPDATE ticket SET status = 'called' WHERE id = %s", (ticket,))
        database.execute("SELECT pg_notify('queue', %s)", (str(queue),))
        changed = stream.event()
        assert (changed["name"], changed["status"]) == ("changed", "called")


@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_a_stopping_server_lets_everybody_go_at_once(
    environ: dict[str, str], kind: str, board: Board, rooms: Rooms, patient: Somebody
) -> None:
    server = Server(kind, environ)
    with running(server), following(server, board.path) as stream:
        stream.event()
        with Guest(server, rooms.ticket(rooms.open(), patient)) as guest:
            assert server.stop(signal.SIGTERM) < 3
            with pytest.raises(EOFError):
                stream.event()
            assert guest.close_code() == 1012


def test_a_lost_listener_comes_back_and_reads_what_it_missed(one: Server, two: Server, board: Board) -> None:
    with following(one, board.path) as stream:
        stream.event()
        board.database.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE query = 'LISTEN queue' AND datname = current_database()
            """
        )
        board.call(1, "A001")
        assert stream.event()["number"] == "A001"
