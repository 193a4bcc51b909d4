"""Faults of events: what is delivered in place of a block, and that it ends as the market is."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from venue_parts import market

from desk.local_venue.faults.event_faults import EventFaults, NumberedEvents, fractions
from desk.local_venue.faults.fault_schedule import NEVER_NS, FaultSchedule
from desk.local_venue.faults.fault_script import parse_faults
from desk.local_venue.stock_layout import STOCKS
from desk.model.blocks import CANCEL, CORRECTION, QUOTE, TRADE, Block

Row = tuple[int, str, int, float, float, int]


def played() -> NumberedEvents:
    (block, *_) = market(events_per_s=300.0).blocks()
    return NumberedEvents(block, np.arange(len(block)))


def rows(blocks: list[Block]) -> list[Row]:
    return [
        (
            int(b.kind[i]),
            b.symbols[b.symbol[i]],
            int(b.ts_ns[i]),
            float(b.price[i]),
            float(b.bid[i]),
            int(b.trade_id[i]),
        )
        for b in blocks
        for i in range(len(b))
    ]


def text_of(some: list[Row]) -> list[str]:
    """Rows that can be compared: NaN equals itself."""
    return [str(row) for row in some]


class Applied:
    """The events of one fault: delivered at once, and later."""

    def __init__(self, text: str, events: NumberedEvents, *, parts: int = 1) -> None:
        self.schedule = FaultSchedule(parse_faults(f"seed = 3\n[[faults]]\n{text}", "f"), 0, 1.0)
        faults = EventFaults(self.schedule)
        spans = self.schedule.spans(1)
        self.at_once: list[Block] = []
        for numbers in np.array_split(np.arange(len(events.block)), parts):
            mask = np.isin(np.arange(len(events.block)), numbers)
            self.at_once += faults.apply(spans, events.only(mask), STOCKS)
        self.early = faults.release([], 0)
        self.later = [block for _, block in faults.release([], NEVER_NS)]
        assert not faults

    @property
    def count(self) -> int:
        (count,) = self.schedule.counts.values()
        return count


@pytest.mark.parametrize("text", ['kind = "late"\nshare = 0.3', 'kind = "reorder"\nshare = 0.3'])
def test_delayed_events_come_later_and_all_of_them_come(text: str) -> None:
    events = played()

    applied = Applied(text, events)

    later = rows(applied.later)
    assert not applied.early
    assert applied.count == len(later) > 5
    assert sorted(text_of(rows(applied.at_once) + later)) == sorted(text_of(rows([events.block])))
    if "late" in text:
        assert {row[0] for row in later} == {TRADE}
    else:
        assert {row[0] for row in later} == {TRADE, QUOTE}


@pytest.mark.parametrize("text", ['kind = "late"\nshare = 0.5', 'kind = "reorder"\nshare = 0.5'])
def test_trades_of_one_time_are_delayed_together_and_keep_their_order(text: str) -> None:
    events = played()
    coarse = events.block.ts_ns // 200_000_000 * 200_000_000
    events = NumberedEvents(replace(events.block, ts_ns=coarse), events.numbers)

    applied = Applied(text, events, parts=5)

    def by_time(some: list[Row]) -> dict[tuple[str, int], list[str]]:
        groups: dict[tuple[str, int], list[str]] = {}
        for row in some:
            if row[0] == TRADE:
                groups.setdefault((row[1], row[2]), []).append(str(row[3:]))
        return groups

    assert applied.later
    assert by_time(rows(applied.at_once) + rows(applied.later)) == by_time(rows([events.block]))
    assert max(map(len, by_time(rows([events.block])).values())) > 3


def test_duplicates_are_there_twice() -> None:
    events = played()

    applied = Applied('kind = "duplicate"\nshare = 0.2', events)

    counts = Counter(text_of(rows(applied.at_once)))
    assert sum(counts.values()) == len(events.block) + applied.count
    assert sum(number == 2 for number in counts.values()) == applied.count > 5


def test_wrong_trades_are_corrected_to_the_true_ones() -> None:
    events = played()

    applied = Applied('kind = "corrections"\nshare = 0.3', events)

    true = {str(row[2:]) for row in rows([events.block]) if row[0] == TRADE}
    wrong = {row[5]: row for row in rows(applied.at_once) if row[0] == TRADE and str(row[2:]) not in true}
    (corrections,) = applied.later
    assert corrections.originals is not None
    assert (corrections.kind == CORRECTION).all()
    assert applied.count == len(wrong) == len(corrections) > 5
    originals = corrections.originals.trade_id.tolist()
    assert sorted(originals) == sorted(wrong)
    for original, price, trade_id in zip(
        originals, corrections.price.tolist(), corrections.trade_id.tolist(), strict=True
    ):
        assert wrong[original][3] > price
        assert trade_id < 10**6 < original


def test_trades_that_never_were_are_cancelled() -> None:
    events = played()

    applied = Applied('kind = "cancels"\nshare = 0.3', events)

    (cancels,) = applied.later
    assert cancels.originals is not None
    assert (cancels.kind == CANCEL).all()
    false = [row for row in rows(applied.at_once) if row[5] >= 10**13]
    assert [row[5] for row in false] == cancels.originals.trade_id.tolist()
    true = [row for row in rows(applied.at_once) if row[5] < 10**13]
    assert text_of(true) == text_of(rows([events.block]))


def test_a_mute_symbol_has_no_events_and_the_others_keep_theirs() -> None:
    events = played()
    symbol = events.block.symbols[0]

    applied = Applied(f'kind = "mute"\nsymbols = ["{symbol}"]', events)

    kept = rows(applied.at_once)
    assert text_of(kept) == text_of([row for row in rows([events.block]) if row[1] != symbol])
    assert applied.count == len(events.block) - len(kept)


def test_a_mute_connection_has_none_and_held_events_are_withheld_too() -> None:
    events = played()
    schedule = FaultSchedule(
        parse_faults('[[faults]]\nkind = "late"\nshare = 1\ndelay_s = 1\n[[faults]]\nkind = "mute"\nat = 1', "f"),
        0,
        1.0,
    )
    faults = EventFaults(schedule)
    faults.apply(schedule.spans(1), events, STOCKS)
    schedule.reach(10**9)

    released = faults.release(schedule.spans(1), schedule.now_ns)

    assert not released
    assert not faults


def test_skewed_stamps_are_shifted() -> None:
    events = played()

    applied = Applied('kind = "clock_skew"\nms = -250', events)

    assert (applied.at_once[0].ts_ns == events.block.ts_ns - 250_000_000).all()


@pytest.mark.parametrize("text", ['kind = "late"\nshare = 0.3', 'kind = "corrections"\nshare = 0.3'])
def test_the_chosen_events_do_not_depend_on_the_frames(text: str) -> None:
    events = played()

    whole, in_parts = (Applied(text, events, parts=parts) for parts in (1, 7))

    assert sorted(text_of(rows(whole.later))) == sorted(text_of(rows(in_parts.later)))


def test_fractions_are_even_and_differ_by_seed_and_fault() -> None:
    numbers = np.arange(100_000)

    some = fractions(1, 1, numbers)

    assert 0.0 <= some.min() < 0.001
    assert 0.999 < some.max() < 1.0
    assert abs(some.mean() - 0.5) < 0.01
    for other in (fractions(2, 1, numbers), fractions(1, 2, numbers)):
        assert abs(np.corrcoef(some, other)[0, 1]) < 0.02
