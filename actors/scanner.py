"""The scanner actor: looks at the whole market on its own, apart from the lanes."""

from collections.abc import Sequence

from actors.counters import MetersFactory, NoMeters
from desk.config import Plan
from desk.model.bars import Bar
from desk.model.records import ScanAnswer
from desk.pipeline.record import ProcessUsage
from desk.pipeline.session import Session
from desk.usage import process_usage
from desk.wiring import markets, shards


class Scanner:
    """Runs all scanners of the plan, and knows the session's earlier minutes of every symbol."""

    def __init__(self, plan: Plan, session: Session, meters: MetersFactory = NoMeters) -> None:
        self._scanning = shards.scanning(plan, session, markets.market_source(plan, session))
        self._meters = meters("scanner")

    def __repr__(self) -> str:
        return "scanner"

    def usage(self) -> ProcessUsage:
        """What this process has used."""
        return process_usage(self._meters.node)

    def scan(self, mark_ns: int, subscribed: Sequence[str]) -> list[ScanAnswer]:
        """Answers of the scanners that are due at the mark."""
        return self._scanning.scan(mark_ns, subscribed)

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols from the rows received before `until_ns`."""
        return self._scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """A shard's remembered trades of these symbols at that time."""
        return self._scanning.remembered(symbols, until_ns)

    def problems(self) -> list[str]:
        """What scanners raised."""
        return self._scanning.problems

    def stats(self) -> int:
        """How many scans have run."""
        self._meters.totals({"cpu_seconds_total": process_usage().cpu_s})
        self._meters.totals({"scans_total": self._scanning.scans})
        return self._scanning.scans
