"""Silent symbols: stale if the venue has trades of them, quiet if it has none, and neither in hours that are quiet."""

from collections.abc import Callable

from desk.model.feed_health import SymbolActivity
from desk.model.notices import TradingStatus, VenueBar
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.producer.feed_watch.stale_symbols import AGAIN_S, StaleState, StaleSymbols

START_NS = 1_000 * MINUTE_NS
Trades = Callable[[int], set[str]]


class Market:
    """Seconds of a market, one after the other: `trades` says which symbols trade in a second."""

    def __init__(self, stale: StaleSymbols, symbols: str = "AB") -> None:
        self.stale = stale
        self.symbols = list(symbols)
        self.second = 0
        self.again: list[str] = []
        self.notes: list[str] = []

    def play(
        self,
        seconds: int,
        comes: Trades,
        bars_of: Trades = lambda _: set(),
        can_deliver: bool = True,
        statuses: list[TradingStatus] | None = None,
        delay_s: int = 0,
    ) -> None:
        """`comes` are the symbols whose trades arrive, `bars_of` those with a bar of the minute that has just ended."""
        for _ in range(seconds):
            self.second += 1
            mark_ns = START_NS + self.second * SECOND_NS
            bars = []
            if (self.second - delay_s) % 60 == 1 and self.second - delay_s > 60:
                minute_ns = mark_ns - SECOND_NS - MINUTE_NS - delay_s * SECOND_NS
                bars = [a_bar(symbol, minute_ns) for symbol in sorted(bars_of(self.second))]
            activity = SymbolActivity(mark_ns, 0, comes(self.second), bars, statuses or [])
            notes = self.stale.mark(mark_ns, activity, self.symbols, can_deliver=can_deliver)
            self.notes += [note.text for note in notes]
            self.again += self.stale.again
            statuses = None


def a_bar(symbol: str, minute_ns: int) -> VenueBar:
    return VenueBar(1, symbol, minute_ns, 0, 10.0, 10.0, 10.0, 10.0, 100.0, 5)


def both(_: int) -> set[str]:
    return {"A", "B"}


def only_a(_: int) -> set[str]:
    return {"A"}


def nothing(_: int) -> set[str]:
    return set()


def test_a_symbol_whose_bars_go_on_without_its_trades_is_stale_and_subscribed_anew_once() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(120, both, both)

    market.play(600, only_a, both)

    assert market.stale.stale == {"B": START_NS + 2 * MINUTE_NS}
    assert market.again == ["B"]
    assert [note for note in market.notes if "trades that did not come" in note] == [
        "venue: the venue has trades that did not come: B, subscribed anew"
    ]
    assert market.stale.alerts() == ["stale, data missing: B"]
    assert market.stale.problem(START_NS + 720 * SECOND_NS) == "venue: 1 symbol stale when the run ended: B for 600 s"


def test_a_stale_symbol_is_fresh_again_with_its_next_trade_and_then_a_warning() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(120, both, both)
    market.play(90, only_a, both)

    market.play(1, both, both)

    assert market.stale.stale == {}
    assert market.notes[-1] == "venue: trades come again of B after 91 s"
    assert market.stale.problem(0) == ""
    assert market.stale.warning() == "venue: 1 symbol stale for a time, 1 spell, 91 s in all: B"


def test_a_symbol_without_trades_and_bars_is_quiet_and_named_as_such() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(300, both, both)

    market.play(300, only_a, only_a)

    assert market.stale.stale == {}
    assert market.stale.quiet == ["B"]
    assert market.again == []
    assert market.stale.alerts() == ["quiet, not stale: B"]
    assert len([note for note in market.notes if "quiet, not stale: the venue has no bar of B" in note]) == 1
    market.play(1, both, both)
    assert market.stale.alerts() == []


def test_a_quiet_symbol_of_which_the_venue_has_a_bar_is_stale() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(300, both, both)
    market.play(200, only_a, only_a)
    quiet = market.stale.quiet

    market.play(120, only_a, both)

    assert quiet == ["B"]
    assert (market.stale.quiet, list(market.stale.stale)) == ([], ["B"])


def test_without_bars_a_symbol_is_compared_with_its_own_usual_rate() -> None:
    market = Market(StaleSymbols("venue"), "ABC")
    market.play(900, lambda second: {"A", "B", *("C" for _ in range(second % 60 == 0))})

    market.play(70, lambda _: {"A"})

    assert list(market.stale.stale) == ["B"]  # C trades once a minute: 70 s are usual
    assert market.again == ["B"]
    assert "far longer silent than usual, and so perhaps stale: B, subscribed anew (silent for 6" in market.notes[-1]


def test_where_nothing_comes_of_any_symbol_none_is_stale() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(300, both, both)

    market.play(600, nothing)

    assert (market.stale.stale, market.again) == ({}, [])


def test_a_halted_symbol_is_quiet() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(300, both)
    halt = TradingStatus(1, "B", START_NS, 0, "H", "Trading Halt", "T1", "News pending")

    market.play(300, only_a, statuses=[halt])

    assert (market.stale.stale, market.stale.quiet) == ({}, ["B"])
    assert "B (halted, silent for" in market.notes[-1]


def test_hours_without_data_and_outages_are_no_silence() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(600, both, both)

    market.play(7_200, nothing, can_deliver=False)
    market.play(30, nothing)

    assert (market.stale.stale, market.stale.quiet, market.again) == ({}, [], [])


def test_a_bar_of_a_minute_with_an_outage_in_it_proves_nothing() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(120, both, both)
    market.play(30, nothing, can_deliver=False)

    market.play(40, only_a, both)

    assert market.stale.stale == {}


def test_trades_read_with_marks_that_are_overdue_count_at_the_time_of_their_read() -> None:
    stale = StaleSymbols("venue")
    for second in range(1, 120):
        stale.mark(START_NS + second * SECOND_NS, SymbolActivity(traded={"A"}), ["A"], can_deliver=True)
    bars = [a_bar("A", START_NS + 2 * MINUTE_NS), a_bar("A", START_NS + 3 * MINUTE_NS)]

    # A desk that stood for two minutes reads all at once, and then sets the marks one by one.
    read = SymbolActivity(START_NS + 245 * SECOND_NS, 0, {"A"}, bars)
    stale.mark(START_NS + 120 * SECOND_NS, read, ["A"], can_deliver=True)

    assert stale.stale == {}


def test_a_subscription_that_was_renewed_between_two_marks_excuses_its_minute() -> None:
    stale = StaleSymbols("venue")
    for second in range(1, 125):
        stale.mark(START_NS + second * SECOND_NS, SymbolActivity(traded=set("A")), ["A"], can_deliver=True)
    up_ns = START_NS + 200 * SECOND_NS

    activity = SymbolActivity(up_ns, up_ns, set(), [a_bar("A", START_NS + 3 * MINUTE_NS)])
    stale.mark(START_NS + 125 * SECOND_NS, activity, ["A"], can_deliver=True)

    assert stale.stale == {}


def test_a_symbol_subscribed_within_the_minute_of_a_bar_is_not_stale_by_it() -> None:
    market = Market(StaleSymbols("venue"), "A")
    market.play(130, only_a, only_a)
    market.symbols.append("B")

    market.play(60, only_a, both)
    within = dict(market.stale.stale)
    market.play(60, only_a, both)

    assert within == {}
    assert market.stale.stale == {"B": START_NS + 3 * MINUTE_NS}


def test_bars_of_a_feed_that_is_late_by_design_are_compared_with_its_own_minutes() -> None:
    market = Market(StaleSymbols("venue", delay_ns=15 * MINUTE_NS))

    market.play(3_000, both, both, delay_s=900)

    assert market.stale.stale == {}


def test_a_symbol_that_is_stale_again_and_again_is_subscribed_anew_only_each_quarter_of_an_hour() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(120, both, both)

    for _ in range(10):
        market.play(110, only_a, both)
        market.play(10, both, both)

    assert len(market.again) == 1 + 10 * 120 // AGAIN_S


def test_a_symbol_that_is_not_subscribed_any_more_is_neither_stale_nor_quiet() -> None:
    market = Market(StaleSymbols("venue"))
    market.play(120, both, both)
    market.play(120, only_a, both)

    market.symbols.remove("B")
    market.play(1, only_a, both)

    assert (market.stale.stale, market.stale.alerts()) == ({}, [])


def test_a_successor_knows_what_is_stale_and_what_was() -> None:
    successor = Market(StaleSymbols("venue", state=StaleState({"B": START_NS}, 2, ["A"], 5 * SECOND_NS)))
    successor.play(10, only_a)
    before = dict(successor.stale.stale)
    successor.play(1, both)

    assert before == {"B": START_NS}
    assert successor.stale.stale == {}
    assert "3 spells, 16 s in all: A, B" in successor.stale.warning()
