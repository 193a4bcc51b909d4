"""Bars of before the session: the last ones, adjusted by the session's day, kept for the run, cached for the day."""

from collections.abc import Sequence
from datetime import date, time
from pathlib import Path

import msgspec
import pytest
from scripted_history import ScriptedHistory

from desk.history.history_server import HistoryServer
from desk.history.kept_history import KeptHistory
from desk.history.session_history import SessionHistory
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.errors import RunFailed
from desk.model.history import BarsAnswer, BarsQuestion, PastCounts
from desk.model.timeframes import Timeframe
from desk.model.units import MINUTE_NS
from desk.wiring.exchange_days import ExchangeDays, exchange_ns

DAYS = ExchangeDays("XNYS")
DAY = date(2026, 1, 5)  # a Monday, after New Year's Day and a weekend
TRADING_DAYS = [date(2025, 12, 29), date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 2)]


def hours(day: date) -> tuple[int, int]:
    found = DAYS.hours(day)
    assert found is not None
    return found.start_ns, found.open_ns


def a_bar(start_ns: int, price: float = 10.0, symbol: str = "A", volume: float = 100.0) -> Bar:
    return Bar(symbol, start_ns, price, price, price, price, volume, price * volume, 1, start_ns, 0, start_ns, 0)


def daily(symbol: str = "A", days: Sequence[date] = TRADING_DAYS) -> list[Bar]:
    """Days as Alpaca labels them: at midnight on the exchange."""
    return [a_bar(exchange_ns(day, time(), DAYS.zone), 10.0 + index, symbol) for index, day in enumerate(days)]


def ask(
    market: ScriptedHistory | None,
    kept: Path,
    counts: PastCounts,
    symbols: Sequence[str] = ("A",),
    cache: Path | None = None,
    minutes: tuple[int, int] = (0, 0),
) -> BarsAnswer:
    server = HistoryServer(market, SessionHistory(market, DAYS, KeptHistory(kept), cache))
    answer = server.serve(BarsQuestion(1, list(symbols), DAY.isoformat(), hours(DAY)[0], counts, *minutes))
    assert isinstance(answer, BarsAnswer)
    return answer


def a_market(**bars: list[Bar]) -> ScriptedHistory:
    market = ScriptedHistory()
    names: dict[str, Timeframe] = {"d1": "1d", "m1": "1m", "m5": "5m"}
    market.bars_of = {names[name]: found for name, found in bars.items()}
    return market


def test_the_last_days_start_at_their_regular_open(tmp_path: Path) -> None:
    answer = ask(a_market(d1=daily()), tmp_path, {"1d": 3})

    found = answer.bars["A"]["1d"]
    assert [bar.minute_ns for bar in found] == [hours(day)[1] for day in TRADING_DAYS[1:]]
    assert {bar.flags for bar in found} == {"repaired"}
    assert (answer.problems, answer.why) == ({}, "")


def test_a_symbol_that_trades_rarely_is_looked_for_further_back(tmp_path: Path) -> None:
    early, late = hours(TRADING_DAYS[0])[1], hours(TRADING_DAYS[3])[1]
    market = a_market(m5=[a_bar(early), a_bar(early + 5 * MINUTE_NS), a_bar(late)])

    answer = ask(market, tmp_path, {"5m": 3})

    assert [bar.minute_ns for bar in answer.bars["A"]["5m"]] == [early, early + 5 * MINUTE_NS, late]
    assert len(market.asked) == 2


def test_too_few_bars_are_a_problem_of_the_symbol(tmp_path: Path) -> None:
    answer = ask(a_market(d1=daily("A") + daily("B", TRADING_DAYS[3:])), tmp_path, {"1d": 3}, ["A", "B"])

    assert answer.problems == {"B": "the market has 1 of 3 bars of 1d"}
    assert len(answer.bars["B"]["1d"]) == 1


def test_bars_are_adjusted_for_actions_effective_by_the_day_and_for_no_later_one(tmp_path: Path) -> None:
    market = a_market(d1=daily())
    market.actions_of = [
        CorporateAction("A", TRADING_DAYS[2], 1.0, 2.0),
        CorporateAction("A", DAY, cash=1.3),
        CorporateAction("A", date(2026, 1, 6), 1.0, 10.0),
        CorporateAction("B", DAY, 1.0, 5.0),
    ]

    bars = ask(market, tmp_path, {"1d": 4}).bars["A"]["1d"]

    paid = 1.0 - 1.3 / 13.0
    assert [bar.close for bar in bars] == pytest.approx([5.0 * paid, 5.5 * paid, 12.0 * paid, 13.0 * paid])
    assert [bar.volume for bar in bars] == [200.0, 200.0, 100.0, 100.0]
    assert [bar.vwap for bar in bars] == pytest.approx([bar.close for bar in bars])


def test_without_corporate_actions_the_bars_are_there_and_the_problem_is_named(tmp_path: Path) -> None:
    class NoActions(ScriptedHistory):
        def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
            self.failures.append("not permitted")
            return super().actions(symbols, from_day, to_day)

    market = NoActions()
    market.bars_of = {"1d": daily()}

    answer = ask(market, tmp_path, {"1d": 2}, cache=tmp_path / "cache")

    assert len(answer.bars["A"]["1d"]) == 2
    assert "not adjusted for corporate actions: not permitted" in answer.problems["A"]
    assert not (tmp_path / "cache").exists()


def test_the_same_run_sees_the_same_again_whatever_the_market_says_then(tmp_path: Path) -> None:
    open_ns = hours(DAY)[1]
    minutes = [a_bar(open_ns + index * MINUTE_NS) for index in range(10)]
    market = a_market(d1=daily(), m1=minutes)
    first = ask(market, tmp_path / "history", {"1d": 2}, minutes=(open_ns, open_ns + 5 * MINUTE_NS))

    market.bars_of = {}
    resumed = ask(market, tmp_path / "history", {"1d": 2}, minutes=(open_ns, open_ns + 5 * MINUTE_NS))
    replayed = ask(None, tmp_path / "history", {"1d": 2}, minutes=(open_ns - 1, open_ns + 6 * MINUTE_NS))
    unknown = ask(None, tmp_path / "history", {"1d": 2}, ["Z"])

    assert resumed == replayed == first
    assert first.bars["A"]["1m"] == minutes[:5]
    assert unknown.problems["Z"] == "the run that recorded the data had no history of it"


def test_a_damaged_file_of_the_run_ends_it(tmp_path: Path) -> None:
    ask(a_market(d1=daily()), tmp_path, {"1d": 2})
    (path,) = tmp_path.glob("*.msgpack")
    path.write_bytes(path.read_bytes()[:-3])

    with pytest.raises(RunFailed, match="it cannot be read"):
        KeptHistory(tmp_path)


def test_another_run_of_the_day_takes_it_from_the_cache(tmp_path: Path) -> None:
    market = a_market(d1=daily())
    first = ask(market, tmp_path / "one", {"1d": 2}, cache=tmp_path / "cache")
    requests = len(market.asked)

    second = ask(market, tmp_path / "two", {"1d": 2}, cache=tmp_path / "cache")
    other = ask(market, tmp_path / "three", {"1d": 3}, cache=tmp_path / "cache")

    assert second == first
    assert len(market.asked) == requests + 1
    assert len(other.bars["A"]["1d"]) == 3
    assert ask(None, tmp_path / "two", {"1d": 2}) == first


def test_a_market_that_does_not_answer_is_the_reason_of_the_whole_answer(tmp_path: Path) -> None:
    market = a_market(d1=daily())
    market.failures.append("no answer within 10 s")

    assert ask(market, tmp_path, {"1d": 2}).why.endswith("no answer within 10 s")
    assert not list(tmp_path.iterdir())


def test_minutes_without_a_price_are_left_out(tmp_path: Path) -> None:
    open_ns = hours(DAY)[1]
    unpriced = msgspec.structs.replace(a_bar(open_ns), open=float("nan"))
    market = a_market(m1=[unpriced, a_bar(open_ns + MINUTE_NS)])

    answer = ask(market, tmp_path, {}, minutes=(open_ns, open_ns + 2 * MINUTE_NS))

    assert [bar.minute_ns for bar in answer.bars["A"]["1m"]] == [open_ns + MINUTE_NS]
