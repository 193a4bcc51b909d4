"""The ledger in a SQL database: SQLite by default, Postgres by URL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, and_, func, make_url, select
from sqlalchemy.engine import URL

from desk.ledger import sessions
from desk.ledger.database import WRITES, connect
from desk.ledger.faults import told
from desk.ledger.patience import once_it_answers
from desk.ledger.rows import ACCEPTED, decision_of, decision_row, event_of, event_row, verdict_of
from desk.ledger.schema import decisions as decisions_table
from desk.ledger.schema import fills, metadata, order_events, orders
from desk.ledger.schema import notes as notes_table
from desk.ledger.upgrades import require_columns
from desk.ledger.writing import apply_events, insert_new, replace_notes
from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.orders.losses import session_loss

PATIENCE_S: Final = 30.0
OPENING: Final = "opening"

Result = TypeVar("Result")


class SqlLedger:
    """The book of one session: desk.orders.OrderLedger on a database.

    Several sessions may share a database; all that is written and read here belongs to `session`. One
    process writes; every call is one transaction, committed when it returns and undone when it raises.
    A server that goes away is waited for, `patience_s` at most, and what it has not confirmed is done again.
    Whatever the database refuses is a LedgerError, or a CredentialsError. The password stays out of all of them.
    """

    def __init__(
        self,
        url: str | URL,
        session: str = "",
        busy_timeout_ms: int = 5_000,
        *,
        password: str | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        with told("[ledger] url"):
            parsed = make_url(url)
        self.place = parsed.render_as_string(hide_password=True)
        self.session = session
        self._patience_s = patience_s
        self._lines: tuple[str, Iterator[int]] | None = None
        with told(self.place):
            self._engine = connect(parsed, password, busy_timeout_ms)
        try:
            self._write(OPENING, self._make_tables)
        except BaseException:
            self._engine.dispose()
            raise

    def open_session(self, session: str, *, plan: str, mode: str, day: str, now_ns: int) -> str:
        """Go on with `session` itself, else with the one of (plan, mode, day) that was never closed, else begin it.

        Gives the name under which everything is kept from now on.
        """

        def work(connection: Connection) -> str:
            return sessions.open_session(connection, session, plan=plan, mode=mode, day=day, now_ns=now_ns)

        self.session = self._write(OPENING, work)
        # A commit of one that died may be under way still: from here on, what it wrote is there to be read.
        self._write(self.session, lambda _: None)
        return self.session

    def close_session(self, now_ns: int) -> None:
        """The session ended in order: the next start begins another."""
        self._write(self.session, lambda connection: sessions.close_session(connection, self.session, now_ns))

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

        def work(connection: Connection) -> None:
            insert_new(connection, decisions_table, decided, self.place)
            if given:
                apply_events(
                    connection, insert_new(connection, order_events, given, self.place, self._next_lines(connection))
                )
            replace_notes(connection, self.session, notes or {})

        self._write(self.session, work)

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

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _make_tables(self, connection: Connection) -> None:
        metadata.create_all(connection)
        require_columns(connection, self.place)

    def _write(self, name: str, work: Callable[[Connection], Result]) -> Result:
        """Do it in one transaction, as the only one that writes under the name."""

        def attempt() -> Result:
            with self._engine.connect().execution_options(**{WRITES: name}) as connection, connection.begin():
                return work(connection)

        with told(self.place):
            return once_it_answers(attempt, self._patience_s)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        def attempt() -> Result:
            with self._engine.connect() as connection:
                return work(connection)

        with told(self.place):
            return once_it_answers(attempt, self._patience_s)

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
