"""A server that dies in mid-run: no committed row is lost, and no row is doubled."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import pytest
from cut_line import CutLine
from postgres_server import PostgresServer
from sqlalchemy import Connection

from desk.ledger import SqlLedger
from desk.ledger.database import WRITES
from desk.ledger.idempotent_writes import replace_notes
from desk.model.errors import LedgerError
from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

Opened = Callable[..., SqlLedger]

DEADLINE_S = 60.0


def record(ledger: SqlLedger, number: int) -> None:
    """One order that is decided and filled, and a note of it."""
    key = f"s-a-SPY-{number}"
    intent = Intent(key, "a", "SPY", number, "buy", 1.0, number, 0, False, 1.0)
    fill = OrderEvent(number, "SPY", "a", key, "filled", "buy", "market", "day", 1.0, number, 1.0, 1.0, 10.0)
    ledger.record([Decision(intent, "accepted")], [fill], {"last": str(number)})


def assert_holds(ledger: SqlLedger, orders: int) -> None:
    """The ledger has these orders, each once and whole, in the order of their recording."""
    decisions, events = ledger.history()
    numbers = list(range(1, orders + 1))
    assert [decision.intent.number for decision in decisions] == numbers
    assert [event.number for event in events] == numbers
    assert len(ledger.fills()) == ledger.counts()["filled"] == orders
    assert ledger.notes() == {"last": str(orders)}


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[threading.Event]:
    """Does it in a thread beside; the event is set when it is done. What it raises fails the test."""
    done = threading.Event()
    faults: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 - raised again below
            faults.append(fault)
        finally:
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    yield done
    thread.join()
    if faults:
        raise faults[0]


def until(seen: Callable[[], bool]) -> None:
    end_s = monotonic() + DEADLINE_S
    while not seen():
        assert monotonic() < end_s
        sleep(0.005)


def test_the_server_s_processes_are_killed_while_orders_are_recorded(opened: Opened, postgres: PostgresServer) -> None:
    ledger = opened(postgres.fresh_url())
    recorded = [0]

    def kill() -> None:
        for goal in (20, 60):
            until(lambda goal=goal: recorded[0] >= goal)
            postgres.kill_backends()

    with meanwhile(kill) as done:
        while not done.is_set() or recorded[0] < 80:
            record(ledger, recorded[0] + 1)
            recorded[0] += 1

    assert_holds(ledger, recorded[0])


def test_a_connection_that_an_administrator_ends_is_made_again(opened: Opened, postgres: PostgresServer) -> None:
    ledger = opened(postgres.fresh_url())

    for number in range(1, 6):
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'raydesk'")
        record(ledger, number)

    assert_holds(ledger, 5)


def test_the_server_is_started_again_while_orders_are_recorded(opened: Opened, postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    ledger = opened(url)
    recorded = [0]

    def restart() -> None:
        until(lambda: recorded[0] >= 20)
        postgres.stop()
        postgres.start()

    with meanwhile(restart) as done:
        while not done.is_set() or recorded[0] < 40:
            record(ledger, recorded[0] + 1)
            recorded[0] += 1

    assert_holds(ledger, recorded[0])
    assert_holds(opened(url), recorded[0])


def test_a_commit_whose_answer_is_lost_is_done_once(opened: Opened, postgres: PostgresServer) -> None:
    with TemporaryDirectory() as folder, CutLine(Path(folder), postgres.folder, cuts=0) as line:
        ledger = opened(postgres.fresh_url(host=line.host))
        record(ledger, 1)
        line.cuts = 3

        record(ledger, 2)

        assert line.cuts == 0
        assert_holds(ledger, 2)
        ledger.close()


def test_a_server_that_stays_away_is_reported_and_the_ledger_continues_when_it_is_back(
    opened: Opened, postgres: PostgresServer
) -> None:
    ledger = opened(postgres.fresh_url(), patience_s=0.3)
    record(ledger, 1)
    postgres.stop()

    try:
        with pytest.raises(LedgerError, match="connection") as caught:
            record(ledger, 2)
    finally:
        postgres.start()

    assert "\n" not in str(caught.value)
    assert "desk run --resume" in caught.value.remedy
    record(ledger, 2)
    assert_holds(ledger, 2)


def test_who_opens_a_session_sees_what_a_dead_one_had_committed_at_last(
    opened: Opened, postgres: PostgresServer
) -> None:
    url = postgres.fresh_url()
    dead, heir = opened(url), opened(url)
    written, commits = threading.Event(), threading.Event()

    def commit_slowly() -> None:
        def work(connection: Connection) -> None:
            replace_notes(connection, "s", {"last": "1"})
            written.set()
            commits.wait(DEADLINE_S)

        dead._write("s", work)

    def open_heir() -> None:
        heir.open_session("s", plan="p", mode="paper", day="2025-05-02", now_ns=1)
        assert heir.notes() == {"last": "1"}

    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with meanwhile(commit_slowly):
        assert written.wait(DEADLINE_S)
        with meanwhile(open_heir):
            until(lambda: postgres.execute(waiting) == [(1,)])
            commits.set()


def test_a_session_that_another_process_writes_is_reported_and_others_are_not_held_up(
    opened: Opened, postgres: PostgresServer
) -> None:
    url = postgres.fresh_url()
    ledger = opened(url, session="s", busy_timeout_ms=20, patience_s=0)
    other = opened(url, session="t", busy_timeout_ms=20)
    holder = opened(url)

    with holder._engine.connect().execution_options(**{WRITES: "s"}) as connection, connection.begin():
        with pytest.raises(LedgerError, match="lock timeout") as caught:
            record(ledger, 1)
        other.record([], [], {"last": "1"})

    assert "only writer" in caught.value.expected
    record(ledger, 1)
    assert_holds(ledger, 1)
