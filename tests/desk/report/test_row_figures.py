from desk.model.bars import Bar
from desk.model.orders import Intent
from desk.model.records import Decision
from desk.model.units import MINUTE_NS
from desk.report.row_figures import RowFigures


def bar(symbol: str, minute: int, trades: int, flags: str = "complete", open_ns: int = 1) -> Bar:
    return Bar(symbol, minute * MINUTE_NS, trades=trades, open_ns=open_ns, flags=flags)  # type: ignore[arg-type]


def decision(strategy: str, symbol: str, outcome: str, age_ms: int = 0) -> Decision:
    order_id = f"s-{strategy}-{symbol}-1"
    return Decision(Intent(order_id, strategy, symbol, 1, "buy", 1.0, 0, age_ms * 1_000_000, False, 10.0), outcome)


def test_bars_are_counted_by_flag_and_their_trades_by_minute() -> None:
    bars = [bar("B", 2, 5), bar("A", 1, 3, "partial"), bar("A", 2, 4)]

    figures = RowFigures.of(bars, [])

    assert figures.bars == {"complete": 2, "partial": 1, "repaired": 0}
    assert figures.symbols == 2
    assert list(figures.trades_by_minute.items()) == [(MINUTE_NS, 3), (2 * MINUTE_NS, 9)]


def test_a_bar_without_a_price_is_no_row() -> None:
    figures = RowFigures.of([bar("A", 1, 3, open_ns=-1)], [])

    assert sum(figures.bars.values()) == 0
    assert figures.trades_by_minute == {}


def test_decisions_are_counted_by_strategy_and_outcome() -> None:
    decisions = [
        decision("range", "A", "filled", 3),
        decision("range", "B", "refused: max_order_notional"),
        decision("range", "A", "filled", 12),
        decision("fade", "A", "canceled"),
    ]

    fade, opening_range = RowFigures.of([], decisions).strategies

    assert fade.strategy == "fade"
    assert opening_range.decisions == 3
    assert opening_range.symbols == 2
    assert opening_range.outcomes == {"filled": 2, "refused: max_order_notional": 1}
    assert opening_range.max_data_age_ms == 12.0
