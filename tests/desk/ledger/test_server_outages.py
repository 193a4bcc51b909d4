"""A server outage is reported at once, with and without a commit in progress, and so is its end."""

from collections.abc import Callable
from contextlib import closing
from time import monotonic, sleep

from postgres_server import PostgresServer

from desk.ledger import SqlLedger
from desk.model.orders import Intent
from desk.model.records import Decision

DEADLINE_S = 30.0


def decide(ledger: SqlLedger, number: int) -> None:
    intent = Intent(f"s-{number}", "a", "SPY", number, "buy", 1.0, number, 0, False, 1.0)
    ledger.record([Decision(intent, "accepted")], [])


def until(seen: Callable[[], bool]) -> None:
    end_s = monotonic() + DEADLINE_S
    while not seen():
        assert monotonic() < end_s
        sleep(0.005)


def test_during_a_commit(postgres: PostgresServer) -> None:
    with closing(SqlLedger(postgres.fresh_url())) as ledger:
        decide(ledger, 1)
        seen: list[str] = []

        def on_change() -> None:
            seen.append(ledger.outages.alert)
            if len(seen) == 2:
                postgres.start()

        ledger.outages.changed = on_change
        postgres.stop()
        decide(ledger, 2)

        assert seen[0].startswith("the ledger has not answered for 0 s: postgresql+psycopg://")
        assert seen[-1] == ledger.outages.alert == ""
        report = ledger.outages.report()
        assert [note.level for note in report.notes] == ["error", "warning"]
        assert "it does not answer" in report.notes[0].text
        assert "it answers again after" in report.notes[1].text
        assert len(report.warnings) == 1
        assert "it did not answer once" in report.warnings[0]
        assert len(ledger.decisions()) == 2


def test_between_commits(postgres: PostgresServer) -> None:
    with closing(SqlLedger(postgres.fresh_url())) as ledger:
        ledger.ping()
        assert ledger.outages.alert == ""

        postgres.stop()
        until(lambda: ledger.ping() or bool(ledger.outages.alert))
        postgres.start()
        until(lambda: ledger.ping() or not ledger.outages.alert)

        assert "it did not answer once" in ledger.outages.warnings[0]
