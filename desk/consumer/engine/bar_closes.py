"""Bars are closed at marks: minutes, then the longer bars that end with them.

Tests: tests/desk/consumer/engine/test_longer_bars.py
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from desk.bars.session_grid import BarSpan
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.symbols import ShardSymbols
from desk.model.timeframes import TIMEFRAMES, Timeframe
from desk.model.units import MINUTE_NS

LONGER: Final = TIMEFRAMES[1:]


class BarCloses:
    """Closes the bars that are due at a mark, and calls `on_bar` for each.

    The order: by the end of the bar, then by timeframe, shortest first, then by symbol, then by the plan's strategies.
    A longer bar ends with its last minute, whether that minute has a trade or not. Like a minute without a price, a
    longer bar without one does not exist.
    """

    def __init__(
        self,
        minutes: OpenMinutes,
        symbols: ShardSymbols,
        guard: Guard,
        now: EngineClock,
        entries: Iterable[StrategyEntry],
    ) -> None:
        wanted = {timeframe for entry in entries for timeframe in entry.bars}
        self._longer = [timeframe for timeframe in LONGER if timeframe in wanted]
        self._minutes = minutes
        self._symbols = symbols
        self._guard = guard
        self._now = now

    def close_until(self, mark_ns: int) -> None:
        """Close the bars that end at this mark, less the grace time."""
        before_ns = self._minutes.closed_to_ns
        minutes = self._minutes.close_until(mark_ns)
        if self._minutes.closed_to_ns == before_ns:
            return
        spans = self._ending(before_ns, self._minutes.closed_to_ns)
        for minute_ns, state in minutes:
            while spans and spans[0][0].end_ns <= minute_ns:
                self._close_longer(*spans.popleft())
            self._now.closed_to_ns = minute_ns + MINUTE_NS
            bar = state.bars.close(minute_ns)
            if bar is not None and state.on_bar:
                self._guard.call_hook(state.on_bar, "on_bar", bar, minute_ns)
        for span in spans:
            self._close_longer(*span)
        self._now.closed_to_ns = self._minutes.closed_to_ns

    def close_all(self, session_ns: int) -> None:
        """Close all minutes at the end of the session, without a call: those that have not ended are partial."""
        for minute_ns, state in self._minutes.close_all():
            if minute_ns + MINUTE_NS > self._minutes.data_ns(session_ns):
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
            state.bars.close(minute_ns)

    def _ending(self, after_ns: int, until_ns: int) -> deque[tuple[BarSpan, Timeframe]]:
        """The longer bars that strategies want and that end in (after_ns, until_ns], in order."""
        grid = self._now.grid
        spans = [
            (span.end_ns, LONGER.index(timeframe), span, timeframe)
            for timeframe in self._longer
            for span in grid.ending(timeframe, after_ns, until_ns)
        ]
        return deque((span, timeframe) for _, _, span, timeframe in sorted(spans))

    def _close_longer(self, span: BarSpan, timeframe: Timeframe) -> None:
        self._now.closed_to_ns = span.end_ns
        for _, state in sorted(self._symbols.known.items()):
            instances = state.on_longer.get(timeframe)
            bar = state.longer_bars(self._now.grid).bar(timeframe, span) if instances else None
            if instances and bar is not None:
                self._guard.call_hook(instances, "on_bar", bar, span.start_ns + TIMEFRAMES.index(timeframe))
