"""The ledger in a SQL database: SQLite by default, Postgres by URL."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, and_, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from desk.ledger import sessions
from desk.ledger.database import WRITES, connect
from desk.ledger.database_errors import translate_database_errors
from desk.ledger.file_watch import FileWatch, application_id
from desk.ledger.idempotent_writes import apply_events, insert_new, replace_notes
from desk.ledger.identity import RowCounts, count_rows, ledger_identity
from desk.ledger.ledger_tables import decisions as decisions_table
from desk.ledger.ledger_tables import fills, metadata, order_events, orders
from desk.ledger.ledger_tables import notes as notes_table
from desk.ledger.row_count_file import CommittedRows, RowCountFile
from desk.ledger.rows import ACCEPTED, decision_of, decision_row, event_of, event_row, verdict_of
from desk.ledger.server_outages import ServerOutages
from desk.ledger.server_retry import is_transient, retry_until_answered
from desk.ledger.sqlite import file_of
from desk.ledger.undo_close import undo_close
from desk.ledger.upgrades import require_columns
from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.orders.session_loss import session_loss
from desk.telemetry.histogram import Histogram

PATIENCE_S: Final = 30.0
OPENING: Final = "opening"

Result = TypeVar("Result")


class SqlLedger:
    """The ledger of one session: desk.orders.OrderLedger on a database.

    Several sessions may share a database; all that is written and read here belongs to `session`. One process writes;
    every call is one transaction, committed when it returns and undone when it raises. While a server does not answer,
    unconfirmed transactions are retried, for `patience_s` at most. Errors of the database are raised as LedgerError or
    CredentialsError, without the password. What is done to the files of a SQLite ledger beside the desk is a
    LedgerError at the next commit. `rows` is where the number of committed rows is kept for a resume. `commit_time` has
    the durations of all `record` calls.
    """

    def __init__(
        self,
        url: str | URL,
        session: str = "",
        busy_timeout_ms: int = 5_000,
        *,
        password: str | None = None,
        patience_s: float = PATIENCE_S,
        rows: RowCountFile | None = None,
    ) -> None:
        with translate_database_errors("[ledger] url"):
            parsed = make_url(url)
        self.place = parsed.render_as_string(hide_password=True)
        self.session = session
        self.outages = ServerOutages(self.place, patience_s)
        self.commit_time = Histogram()
        self.identity = ""
        self.took_back = False
        self._patience_s = patience_s
        self._lines: tuple[str, Iterator[int]] | None = None
        self._rows = rows
        self._counts = RowCounts()
        self._noted: set[str] = set()
        self._watch: FileWatch | None = None
        self._is_remote = parsed.get_backend_name() != "sqlite"
        self._using = Lock()
        with translate_database_errors(self.place):
            self._engine = connect(parsed, password, busy_timeout_ms)
        try:
            self._write(OPENING, self._make_tables)
            with translate_database_errors(self.place):
                self._watch = None if self._is_remote else self._watched(parsed)
        except BaseException:
            self._engine.dispose()
            raise

    def open_session(
        self, session: str, *, plan: str, mode: str, day: str, now_ns: int, take_back: bool = False
    ) -> str:
        """Go on with `session` itself, else with the one of (plan, mode, day) that was never closed, else begin it.

        Gives the name under which everything is kept from now on. With `take_back`, the close of a session that did
        not end in order is undone, as `undo_close` does; `took_back` says whether there was one.
        """

        def work(connection: Connection) -> tuple[str, bool]:
            over = sessions.is_closed(connection, session)
            name = sessions.open_session(connection, session, plan=plan, mode=mode, day=day, now_ns=now_ns)
            return name, take_back and not over and undo_close(connection, name)

        self.session, self.took_back = self._write(OPENING, work)
        # A commit of one that died may be under way still: from here on, what it wrote is there to be read.
        counts, noted = self._write(
            self.session,
            lambda connection: (
                count_rows(connection, self.session),
                [name for name, _ in connection.execute(_notes_of(self.session))],
            ),
        )
        self._noted = set(noted)
        self._count(counts)
        return self.session

    def close_session(self, now_ns: int) -> None:
        """The session ended in order: the next start begins another. Checks all that the ledger holds."""
        self._write(self.session, lambda connection: sessions.close_session(connection, self.session, now_ns))
        if self._watch is not None:
            self._watch.require_content(self.session, self._counts)

    def undo_close(self) -> bool:
        """Undo all writes since the close of the session began; return whether it had begun."""

        def work(connection: Connection) -> RowCounts | None:
            if not undo_close(connection, self.session):
                return None
            counts = count_rows(connection, self.session)
            self._count(counts)  # before the commit: a ledger with more rows than it must have is no fault
            return counts

        counts = self._write(self.session, work)
        if counts is not None:
            self._lines = None
            self._noted = set(self.notes())
        return counts is not None

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write decisions with their verdict ("accepted" or "refused: why"), events and notes in one commit.

        An exact repeat, by client_order_id and by (symbol, event number), changes nothing. The same key
        with other content raises LedgerError, which names it, and nothing of the call is written. A note takes the
        place of the last of its name.
        """
        decided = [decision_row(self.session, decision) for decision in decisions]
        given = [event_row(self.session, event) for event in events]

        def work(connection: Connection) -> tuple[int, int, int, int]:
            new = insert_new(connection, decisions_table, decided, self.place)
            happened = insert_new(connection, order_events, given, self.place, self._next_lines(connection))
            begun, filled = apply_events(connection, happened) if happened else (0, 0)
            replace_notes(connection, self.session, notes or {})
            return len(new), len(happened), begun, filled

        began_ns = time.monotonic_ns()
        new = self._write(self.session, work)
        self.commit_time.add_one(time.monotonic_ns() - began_ns)
        self._noted.update(notes or {})
        before = self._counts
        self._count(
            RowCounts(
                before.decisions + new[0],
                before.order_events + new[1],
                before.orders + new[2],
                before.fills + new[3],
                len(self._noted),
            )
        )

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome, by (decision_ns, strategy, symbol, number)."""
        joined = decisions_table.outerjoin(orders, decisions_table.c.client_order_id == orders.c.client_order_id)
        statement = (
            select(decisions_table, orders.c.status)
            .select_from(joined)
            .where(decisions_table.c.session == self.session)
        )
        found = self._read(lambda connection: [decision_of(row) for row in connection.execute(statement).mappings()])
        # Sorted here: a database's collation need not be ours.
        return sorted(found, key=_canonical)

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        """Decisions with their verdict, in canonical order; events in the order in which they were recorded."""
        decided = select(decisions_table).where(decisions_table.c.session == self.session)
        given = _events_of(self.session)

        def work(connection: Connection) -> tuple[list[Decision], list[OrderEvent]]:
            decisions = [verdict_of(row) for row in connection.execute(decided).mappings()]
            return decisions, [event_of(row) for row in connection.execute(given).mappings()]

        decisions, events = self._read(work)
        return sorted(decisions, key=_canonical), events

    def notes(self) -> dict[str, str]:
        """The last note of each name."""
        return self._read(lambda connection: dict(connection.execute(_notes_of(self.session)).all()))

    def earlier_loss(self) -> float:
        """The loss of the other sessions of this one's plan, mode and exchange day, in account currency."""

        def work(connection: Connection) -> list[tuple[list[OrderEvent], dict[str, str]]]:
            return [
                (
                    [event_of(row) for row in connection.execute(_events_of(session)).mappings()],
                    dict(connection.execute(_notes_of(session)).all()),
                )
                for session in sessions.same_day(connection, self.session)
            ]

        return sum(session_loss(events, notes) for events, notes in self._read(work))

    def fills(self) -> list[OrderEvent]:
        """The events that bear an execution, by (ts_ns, symbol, number)."""
        same = and_(fills.c.client_order_id == order_events.c.client_order_id, fills.c.number == order_events.c.number)
        statement = select(order_events).join(fills, same).where(order_events.c.session == self.session)
        found = self._read(lambda connection: [event_of(row) for row in connection.execute(statement).mappings()])
        return sorted(found, key=lambda event: (event.ts_ns, event.symbol, event.number))

    def counts(self) -> dict[str, int]:
        """How many orders were submitted and how they stand now, as summary.json names them."""
        verdicts, statuses = (
            select(column, func.count()).where(table.c.session == self.session).group_by(column)
            for table, column in ((decisions_table, decisions_table.c.verdict), (orders, orders.c.status))
        )
        by_verdict: dict[str, int] = self._read(lambda connection: dict(connection.execute(verdicts).all()))
        by_status: dict[str, int] = self._read(lambda connection: dict(connection.execute(statuses).all()))
        submitted = by_verdict.get(ACCEPTED, 0)
        ended = {status: by_status.get(status, 0) for status in ("filled", "canceled", "expired", "rejected")}
        return {"submitted": submitted, **ended, "refused_by_risk": sum(by_verdict.values()) - submitted}

    def ping(self) -> None:
        """Check whether the server answers, unless a transaction is running: this detects outages between commits."""
        if not self._is_remote or not self._using.acquire(blocking=False):
            return
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
            self.outages.answered()
        except DBAPIError as error:
            if is_transient(error):
                self.outages.failed(error)
        finally:
            self._using.release()

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._rows is not None:
            self._rows.close()

    def _make_tables(self, connection: Connection) -> None:
        metadata.create_all(connection)
        require_columns(connection, self.place)
        self.identity = ledger_identity(connection)
        if not self._is_remote:
            connection.exec_driver_sql(f"PRAGMA application_id = {application_id(self.identity)}")

    def _watched(self, url: URL) -> FileWatch | None:
        path = file_of(url)
        if path is None:
            return None
        with self._engine.connect() as connection:
            return FileWatch(path, connection, self.identity)

    def _count(self, counts: RowCounts) -> None:
        """These rows are committed."""
        self._counts = counts
        if self._rows is not None:
            self._rows.write(CommittedRows(self.identity, counts))

    def _write(self, name: str, work: Callable[[Connection], Result]) -> Result:
        """Run it in one transaction, as the only writer under the name."""

        def attempt() -> Result:
            with self._engine.connect().execution_options(**{WRITES: name}) as connection:
                if self._watch is not None:
                    self._watch.check_before_commit(connection, self.session, self._counts)
                with connection.begin():
                    result = work(connection)
            if self._watch is not None:
                self._watch.check_after_commit()
            return result

        return self._attended(attempt)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        def attempt() -> Result:
            with self._engine.connect() as connection:
                return work(connection)

        return self._attended(attempt)

    def _attended(self, attempt: Callable[[], Result]) -> Result:
        """Retry until the database answers, and note outages."""
        with translate_database_errors(self.place), self._using:
            result = retry_until_answered(attempt, self._patience_s, self.outages.failed)
        self.outages.answered()
        return result

    def _next_lines(self, connection: Connection) -> Iterator[int]:
        """The numbers after the session's last; looked up once, as nobody else writes it."""
        if self._lines is None or self._lines[0] != self.session:
            last = select(func.max(order_events.c.line)).where(order_events.c.session == self.session)
            self._lines = (self.session, count((connection.execute(last).scalar_one() or 0) + 1))
        return self._lines[1]


def _events_of(session: str) -> Select[Any]:
    """The session's order events, in the order in which they were recorded."""
    return select(order_events).where(order_events.c.session == session).order_by(order_events.c.line)


def _notes_of(session: str) -> Select[Any]:
    return select(notes_table.c.name, notes_table.c.text).where(notes_table.c.session == session)


def _canonical(decision: Decision) -> tuple[int, str, str, int]:
    intent = decision.intent
    return intent.decision_ns, intent.strategy, intent.symbol, intent.number
