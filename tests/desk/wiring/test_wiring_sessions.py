import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.clock import SystemClock
from desk.config import Plan
from desk.market.blocks import Block
from desk.model.errors import PlanError, TapeError
from desk.model.units import DAY_NS, SECOND_NS
from desk.wiring.sessions import LONGEST_DAYS, open_session
from desk.wiring.trading import require_ledger

OPEN_NS = 1_381_152_600 * SECOND_NS
PRESSURE = "strategies.examples.pressure:Pressure"


@dataclasses.dataclass
class Source:
    """A market that has a span and symbols, and no rows to read."""

    start_ns: int = OPEN_NS
    end_ns: int = OPEN_NS + 60 * SECOND_NS
    place: str = "day.parquet"
    symbols: tuple[str, ...] = ("BAC", "SPY")

    def blocks(self) -> Iterator[Block]:
        return iter(())


def a_plan(**tables: object) -> Plan:
    return Plan.model_validate({"session": {"name": "day"}, **tables})


@pytest.mark.parametrize(
    "source",
    [
        Source(start_ns=-1),
        Source(start_ns=0),
        Source(end_ns=2**63 - 1),
        Source(end_ns=OPEN_NS + LONGEST_DAYS * DAY_NS + 1),
    ],
)
def test_times_that_would_play_for_years_are_refused(source: Source) -> None:
    with pytest.raises(TapeError, match="rows received from") as told:
        open_session(a_plan(), source, SystemClock())

    assert told.value.place == "day.parquet"


def test_a_month_of_recordings_is_a_session() -> None:
    source = Source(end_ns=OPEN_NS + LONGEST_DAYS * DAY_NS)

    assert open_session(a_plan(), source, SystemClock()).end_ns == source.end_ns


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ({"feed": {"symbols": ["SPY", "SPX"]}}, "[feed] symbols"),
        ({"strategies": [{"name": "p", "use": PRESSURE, "symbols": ["SPX"]}]}, "[[strategies]] p symbols"),
    ],
)
def test_a_symbol_that_the_market_does_not_have_is_refused_where_it_stands(
    tables: dict[str, object], place: str
) -> None:
    with pytest.raises(PlanError, match="SPX") as told:
        open_session(a_plan(**tables), Source(), SystemClock())

    assert told.value.place == place


def test_a_ledger_that_cannot_be_opened_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    plan = a_plan(ledger={"url": "sqlite:///{run_dir}/none/ledger.db"})

    with pytest.raises(PlanError, match="unable to open") as told:
        require_ledger(plan, tmp_path)

    assert told.value.place.startswith("[ledger] url")
