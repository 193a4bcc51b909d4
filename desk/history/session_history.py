"""The bars that the symbols of a session need of the past: from the run folder, the cache, else the vendor."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Final

import msgspec

from desk.files.cache_folder import DayCache
from desk.history.adjustment import adjusted
from desk.history.kept_history import KeptBars, KeptHistory, KeptMinutes, KeptPart
from desk.history.past_days import PastDays, TradingDays
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.history import BarsAnswer, BarsQuestion, PastBars, PastCounts
from desk.model.timeframes import Timeframe
from desk.model.units import DAY_NS
from desk.venues.market_history import HistoryUnavailable, MarketHistory

MORE_DAYS: Final = 5
"""A symbol that has fewer bars than a day could have is looked for in so many times as many days, once."""
NOT_RECORDED: Final = "the run that recorded the data had no history of it"


class SessionHistory:
    """Answers questions about bars.

    Bars of before the exchange day are adjusted for the corporate actions that are effective by that day, and cached
    for the day in `cache` (None: not). Everything that was answered is kept in `kept`, and answered again from there.
    `market` is None where the kept bars are all there is.
    """

    def __init__(
        self, market: MarketHistory | None, days: TradingDays, kept: KeptHistory, cache: Path | None = None
    ) -> None:
        self._market = market
        self._days = days
        self._kept = kept
        self._cache = cache

    def answer(self, question: BarsQuestion) -> BarsAnswer:
        """The bars of all symbols, and what is missing. Raises HistoryUnavailable, RunFailed for the run folder."""
        part = KeptPart()
        past = self._past(question, part) if question.counts else {}
        minutes = self._minutes(question, part) if question.wants_minutes else {}
        if part.past or part.minutes:
            self._kept.put(part)
        bars: dict[str, PastBars] = {}
        for symbol in question.symbols:
            bars[symbol] = dict(past[symbol].bars) if symbol in past else {}
            if symbol in minutes:
                bars[symbol]["1m"] = [*bars[symbol].get("1m", ()), *minutes[symbol].bars]
        return BarsAnswer(question.number, bars, {symbol: one.problem for symbol, one in past.items() if one.problem})

    def _past(self, question: BarsQuestion, part: KeptPart) -> dict[str, KeptBars]:
        found = {}
        for symbol in question.symbols:
            kept = self._kept.past(symbol, question.counts)
            if kept is None and (cached := self._cached(symbol, question)) is not None:
                kept = part.past[symbol] = cached
            if kept is not None:
                found[symbol] = kept
        missing = [symbol for symbol in question.symbols if symbol not in found]
        if missing and self._market is None:
            return found | {symbol: KeptBars(question.counts, {}, NOT_RECORDED) for symbol in missing}
        if missing:
            fetched = self._fetch(missing, question)
            part.past.update(fetched)
            found |= fetched
        return found

    def _minutes(self, question: BarsQuestion, part: KeptPart) -> dict[str, KeptMinutes]:
        from_ns, to_ns = question.minutes_from_ns, question.minutes_to_ns
        found, missing = {}, []
        for symbol in question.symbols:
            kept = self._kept.minutes(symbol, to_ns)
            if kept is not None and (kept.to_ns == to_ns or self._market is None):
                found[symbol] = kept
            else:
                missing.append(symbol)
        if missing and self._market is not None:
            bars = self._market.bars(missing, "1m", from_ns, to_ns)
            for symbol in missing:
                inside = [bar for bar in bars.get(symbol, ()) if from_ns <= bar.minute_ns < to_ns and _is_sound(bar)]
                found[symbol] = part.minutes[symbol] = KeptMinutes(from_ns, to_ns, inside)
        return found

    def _fetch(self, symbols: Sequence[str], question: BarsQuestion) -> dict[str, KeptBars]:
        market = self._market
        assert market is not None, "kept bars cannot be fetched"
        past = PastDays(self._days, date.fromisoformat(question.day))
        raw: dict[str, PastBars] = {symbol: {} for symbol in symbols}
        for timeframe, count in question.counts.items():
            for symbol, rows in _last_bars(market, past, symbols, timeframe, count, question.day_start_ns).items():
                raw[symbol][timeframe] = rows
        actions, problem = _actions(market, past, raw, date.fromisoformat(question.day))
        day, found = date.fromisoformat(question.day), {}
        for symbol, by_timeframe in raw.items():
            own = [action for action in actions if action.symbol == symbol]
            bars: PastBars = {
                timeframe: adjusted(rows, own, day, lambda bar: past.date_of(bar.minute_ns))
                for timeframe, rows in by_timeframe.items()
            }
            found[symbol] = KeptBars(question.counts, bars, problem or _too_few(bars, question.counts))
            if not found[symbol].problem:
                self._write_cache(symbol, question, found[symbol])
        return found

    def _day_cache(self, symbol: str, counts: PastCounts) -> DayCache[KeptBars]:
        wanted = "-".join(f"{timeframe}x{count}" for timeframe, count in sorted(counts.items()))
        return DayCache(self._cache, f"{hashlib.sha256(symbol.encode()).hexdigest()[:16]}-{wanted}", KeptBars)

    def _cached(self, symbol: str, question: BarsQuestion) -> KeptBars | None:
        if self._cache is None:
            return None
        try:
            return self._day_cache(symbol, question.counts).get(date.fromisoformat(question.day), _raise_missing)
        except _NotCachedError:
            return None

    def _write_cache(self, symbol: str, question: BarsQuestion, bars: KeptBars) -> None:
        if self._cache is not None:
            value: Callable[[], KeptBars] = lambda: bars  # noqa: E731 - what the cache writes
            self._day_cache(symbol, question.counts).get(date.fromisoformat(question.day), value)


class _NotCachedError(Exception):
    """Raised where the cache has no file of the day."""


def _raise_missing() -> KeptBars:
    raise _NotCachedError


def _last_bars(
    market: MarketHistory,
    past: PastDays,
    symbols: Sequence[str],
    timeframe: Timeframe,
    count: int,
    before_ns: int,
) -> dict[str, list[Bar]]:
    """The last `count` bars of each symbol before this time, or as many as there are in a reasonable time."""
    found: dict[str, list[Bar]] = {}
    days = past.with_bars(timeframe, count)
    for span in (days, days * MORE_DAYS + MORE_DAYS):
        missing = [symbol for symbol in symbols if len(found.get(symbol, ())) < count]
        if not missing:
            break
        from_ns = past.start_ns(span) - (DAY_NS if timeframe == "1d" else 0)  # a vendor's day may start at midnight
        bars = market.bars(missing, timeframe, from_ns, before_ns)
        for symbol in missing:
            usable = (_labelled(bar, timeframe, past) for bar in bars.get(symbol, ()) if _is_sound(bar))
            found[symbol] = [bar for bar in usable if bar is not None and bar.minute_ns < before_ns][-count:]
    return found


def _labelled(bar: Bar, timeframe: Timeframe, past: PastDays) -> Bar | None:
    """The bar, flagged; a day's starts at its regular open. None for a day on which the exchange was closed."""
    start_ns = bar.minute_ns if timeframe != "1d" else past.open_ns(past.date_of(bar.minute_ns))
    return None if start_ns is None else msgspec.structs.replace(bar, minute_ns=start_ns, flags="repaired")


def _actions(
    market: MarketHistory, past: PastDays, raw: dict[str, PastBars], day: date
) -> tuple[list[CorporateAction], str]:
    """The actions that change these bars; or none, with the reason."""
    starts = [bars[0].minute_ns for by_timeframe in raw.values() for bars in by_timeframe.values() if bars]
    if not starts:
        return [], ""
    try:
        return market.actions(sorted(raw), past.date_of(min(starts)), day), ""
    except HistoryUnavailable as unavailable:
        return [], f"its bars are not adjusted for corporate actions: {unavailable}"


def _too_few(bars: PastBars, counts: PastCounts) -> str:
    lacking = [
        f"{len(bars.get(timeframe, ()))} of {count} bars of {timeframe}"
        for timeframe, count in counts.items()
        if len(bars.get(timeframe, ())) < count
    ]
    return f"the market has {', '.join(lacking)}" if lacking else ""


def _is_sound(bar: Bar) -> bool:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return all(isfinite(price) and price > 0.0 for price in prices) and isfinite(bar.volume) and isfinite(bar.notional)
