"""The ledger in a SQL database: SQLite by default, PostgreSQL by URL."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import Final, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from desk.ledger import queries, sessions
from desk.ledger.database import WRITES, connect
from desk.ledger.database_errors import translate_database_errors
from desk.ledger.file_watch import FileWatch, application_id
from desk.ledger.idempotent_writes import apply_events, insert_new, replace_notes
from desk.ledger.identity import RowCounts, count_rows, ledger_identity
from desk.ledger.ledger_tables import decisions as decisions_table
from desk.ledger.ledger_tables import metadata, order_events
from desk.ledger.row_count_file import CommittedRows, RowCountFile
from desk.ledger.rows import decision_row, event_row
from desk.ledger.server_outages import ServerOutages
from desk.ledger.server_retry import is_transient, retry_until_answered
from desk.ledger.sqlite import database_file
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

    Several sessions may share a database; all methods read and write rows of `session` only. One process writes. Each
    call is one transaction, which is committed when the call returns and rolled back when it raises. While a server
    does not answer, transactions are retried for up to `patience_s`. Database errors, and changes of a SQLite ledger's
    files by other programs, are raised as LedgerError or CredentialsError, without the password. The number of
    committed rows is written to `rows`, for a resume. `commit_time` has the durations of all `record` calls.
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
        self.close_undone = False
        self._patience_s = patience_s
        self._lines: tuple[str, Iterator[int]] | None = None
        self._rows = rows
        self._counts = RowCounts()
        self._note_names: set[str] = set()
        self._watch: FileWatch | None = None
        self._is_remote = parsed.get_backend_name() != "sqlite"
        self._in_use = Lock()
        with translate_database_errors(self.place):
            self._engine = connect(parsed, password, busy_timeout_ms)
        try:
            self._write(OPENING, self._make_tables)
            with translate_database_errors(self.place):
                self._watch = None if self._is_remote else self._watch_files(parsed)
        except BaseException:
            self._engine.dispose()
            raise

    def open_session(
        self, session: str, *, plan: str, mode: str, day: str, now_ns: int, undo_interrupted_close: bool = False
    ) -> str:
        """Reopen `session` if it exists; else resume the unclosed session of (plan, mode, day); else create `session`.

        Returns the name of the opened session. `undo_interrupted_close` applies `undo_close` to a session that is not
        closed; afterwards `close_undone` tells whether its close had begun.
        """

        def work(connection: Connection) -> tuple[str, bool]:
            was_closed = sessions.is_closed(connection, session)
            name = sessions.open_session(connection, session, plan=plan, mode=mode, day=day, now_ns=now_ns)
            return name, undo_interrupted_close and not was_closed and undo_close(connection, name)

        self.session, self.close_undone = self._write(OPENING, work)
        # Read behind the write lock: a commit of a predecessor that died may still be running.
        counts, notes = self._write(
            self.session,
            lambda connection: (
                count_rows(connection, self.session),
                queries.read_session_notes(connection, self.session),
            ),
        )
        self._note_names = set(notes)
        self._set_counts(counts)
        return self.session

    def close_session(self, now_ns: int) -> None:
        """Close the session, so that the next start creates another one. Checks the content of the database."""
        self._write(self.session, lambda connection: sessions.close_session(connection, self.session, now_ns))
        if self._watch is not None:
            self._watch.require_content(self.session, self._counts)

    def undo_close(self) -> bool:
        """Undo all writes since the close of the session began; return whether it had begun."""

        def work(connection: Connection) -> RowCounts | None:
            if not undo_close(connection, self.session):
                return None
            counts = count_rows(connection, self.session)
            self._set_counts(counts)  # before the commit: more rows than this number are no fault
            return counts

        counts = self._write(self.session, work)
        if counts is not None:
            self._lines = None
            self._note_names = set(self.notes())
        return counts is not None

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write decisions with their verdict ("accepted" or "refused: why"), events and notes in one commit.

        The keys are client_order_id, and (symbol, event number). A repeated row changes nothing. A row with a known key
        and other content raises LedgerError, and nothing of the call is written. A note replaces the previous note of
        its name.
        """
        decision_rows = [decision_row(self.session, decision) for decision in decisions]
        event_rows = [event_row(self.session, event) for event in events]

        def work(connection: Connection) -> RowCounts:
            new_decisions = insert_new(connection, decisions_table, decision_rows, self.place)
            new_events = insert_new(connection, order_events, event_rows, self.place, self._next_lines(connection))
            new_orders, new_fills = apply_events(connection, new_events) if new_events else (0, 0)
            replace_notes(connection, self.session, notes or {})
            return RowCounts(len(new_decisions), len(new_events), new_orders, new_fills)

        began_ns = time.monotonic_ns()
        new = self._write(self.session, work)
        self.commit_time.add_one(time.monotonic_ns() - began_ns)
        self._note_names.update(notes or {})
        known = self._counts
        self._set_counts(
            RowCounts(
                known.decisions + new.decisions,
                known.order_events + new.order_events,
                known.orders + new.orders,
                known.fills + new.fills,
                len(self._note_names),
            )
        )

    def decisions(self) -> list[Decision]:
        """All decisions with their outcomes, sorted by (decision_ns, strategy, symbol, number)."""
        return self._read(queries.read_outcomes)

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        """Decisions with their verdict, sorted as in `decisions`; events in the order of recording."""

        def work(connection: Connection, session: str) -> tuple[list[Decision], list[OrderEvent]]:
            return queries.read_verdicts(connection, session), queries.read_events(connection, session)

        return self._read(work)

    def notes(self) -> dict[str, str]:
        """The notes by name."""
        return self._read(queries.read_session_notes)

    def earlier_loss(self) -> float:
        """The loss of other sessions of the same plan, mode and exchange day, in account currency."""

        def work(connection: Connection, session: str) -> float:
            return sum(
                session_loss(queries.read_events(connection, other), queries.read_session_notes(connection, other))
                for other in sessions.same_day(connection, session)
            )

        return self._read(work)

    def fills(self) -> list[OrderEvent]:
        """The events with an execution, sorted by (ts_ns, symbol, number)."""
        return self._read(queries.read_fills)

    def counts(self) -> dict[str, int]:
        """The numbers of submitted orders and of their outcomes, under their names in summary.json."""
        return self._read(queries.count_outcomes)

    def ping(self) -> None:
        """Check whether the server answers, unless a transaction is running. Detects outages between commits."""
        if not self._is_remote or not self._in_use.acquire(blocking=False):
            return
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
            self.outages.answered()
        except DBAPIError as error:
            if is_transient(error):
                self.outages.failed(error)
        finally:
            self._in_use.release()

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

    def _watch_files(self, url: URL) -> FileWatch | None:
        path = database_file(url)
        if path is None:
            return None
        with self._engine.connect() as connection:
            return FileWatch(path, connection, self.identity)

    def _set_counts(self, counts: RowCounts) -> None:
        """Set the numbers of committed rows."""
        self._counts = counts
        if self._rows is not None:
            self._rows.write(CommittedRows(self.identity, counts))

    def _write(self, name: str, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, which excludes other writers with this name."""

        def attempt() -> Result:
            with self._engine.connect().execution_options(**{WRITES: name}) as connection:
                if self._watch is not None:
                    self._watch.check_before_commit(connection, self.session, self._counts)
                with connection.begin():
                    result = work(connection)
            if self._watch is not None:
                self._watch.check_after_commit()
            return result

        return self._with_retries(attempt)

    def _read(self, work: Callable[[Connection, str], Result]) -> Result:
        """Run `work` for the session in one transaction."""

        def attempt() -> Result:
            with self._engine.connect() as connection:
                return work(connection, self.session)

        return self._with_retries(attempt)

    def _with_retries(self, attempt: Callable[[], Result]) -> Result:
        """Retry `attempt` while the database does not answer, and record outages."""
        with translate_database_errors(self.place), self._in_use:
            result = retry_until_answered(attempt, self._patience_s, self.outages.failed)
        self.outages.answered()
        return result

    def _next_lines(self, connection: Connection) -> Iterator[int]:
        """The numbers after the session's last event. They are read once: no other process writes the session."""
        if self._lines is None or self._lines[0] != self.session:
            self._lines = (self.session, count(queries.last_line(connection, self.session) + 1))
        return self._lines[1]
