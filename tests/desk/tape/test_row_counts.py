"""Rows per minute, and one day of a recording."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from market_rows import T0, BlockRow, BlockRows, quote

from desk.model.blocks import Block
from desk.model.units import MINUTE_NS, floor_to
from desk.tape.recorded_day import DaySource
from desk.tape.row_counts import MinuteCounts

FIRST_NS = floor_to(T0, MINUTE_NS)
times = st.lists(st.integers(0, 20 * MINUTE_NS), min_size=1, max_size=50).map(sorted)


def tally(recv_ns: Sequence[int], trades: Sequence[bool]) -> MinuteCounts:
    mask = np.array(trades, np.bool_)
    return MinuteCounts.of(np.array(recv_ns, np.int64), (~mask).astype(np.int8), mask)


@given(times, st.data())
def test_a_tally_counts_every_row_once_however_it_is_cut(recv_ns: list[int], data: st.DataObject) -> None:
    trades = data.draw(st.lists(st.booleans(), min_size=len(recv_ns), max_size=len(recv_ns)))
    cut = data.draw(st.integers(1, len(recv_ns)))

    parts = [(recv_ns[:cut], trades[:cut]), (recv_ns[cut:], trades[cut:])]
    joined = MinuteCounts.joined([tally(*part) for part in parts if part[0]])

    assert joined.counts() == {"trades": sum(trades), "quotes": len(trades) - sum(trades), "notices": 0}
    assert joined.minute_ns.tolist() == sorted({at - at % MINUTE_NS for at in recv_ns})
    assert (joined.start_ns, joined.end_ns) == (recv_ns[0], recv_ns[-1] + 1)
    from_ns, until_ns = sorted(data.draw(st.integers(0, 20)) * MINUTE_NS for _ in "ab")
    inside = [kind for at, kind in zip(recv_ns, trades, strict=True) if from_ns <= at < until_ns]
    counts = joined.between(from_ns, until_ns).counts()
    assert counts == {"trades": sum(inside), "quotes": len(inside) - sum(inside), "notices": 0}


class Recording(BlockRows):
    """A recording of these rows, with its counts by minute. `blocks` ignores the bounds of time."""

    @property
    def tally(self) -> MinuteCounts:
        return tally([line.recv_ns for line in self._lines], [line.kind == "trade" for line in self._lines])

    def blocks(self, from_ns: int | None = None, until_ns: int | None = None) -> list[Block]:
        return list(super().blocks())

    def symbols_between(self, from_ns: int, until_ns: int) -> tuple[str, ...]:
        return self.symbols


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=40).map(sorted), st.integers(1, 9))
def test_a_day_holds_the_rows_of_its_time_with_their_ordinals(at_ms: list[int], rows_per_block: int) -> None:
    lines = [quote(at) if at % 2 else BlockRow(at) for at in at_ms]
    from_ns, until_ns = FIRST_NS + 2 * MINUTE_NS, FIRST_NS + 7 * MINUTE_NS
    wanted = [number for number, line in enumerate(lines) if from_ns <= line.recv_ns < until_ns]
    if not wanted:
        return

    day = DaySource(Recording(lines, rows_per_block), from_ns, until_ns)

    found = [
        (block.first_ordinal + row, int(block.recv_ns[row])) for block in day.blocks() for row in range(len(block))
    ]
    assert found == [(number, lines[number].recv_ns) for number in wanted]
    assert (day.start_ns, day.end_ns) == (found[0][1], found[-1][1] + 1)
