"""The faults of events: each turns a block of events into the blocks that are delivered instead.

Which events a fault chooses follows from the seed and from their numbers or times alone: a play repeats them, however
its frames and connections fall.

Tests: tests/desk/local_venue/test_event_faults.py
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
from desk.local_venue.chunk import Chunk
from desk.local_venue.events import taken
from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.faults.fault_script import Fault
from desk.local_venue.message_layout import MessageLayout
from desk.model.blocks import CANCEL, CORRECTION, QUOTE, TRADE, Block, Originals
from desk.model.units import MS_NS, SECOND_NS

WRONG_PRICE: Final = 1.01
FIRST_FALSE_ID: Final = 9 * 10**13
"""Ids of trades that are false; above those of the consolidated tape."""
STEPS_OF_DELAY: Final = 4
SYMBOL_STEP: Final = 1_000_003 * SECOND_NS

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NumberedEvents:
    """Events, and their numbers in the play."""

    block: Block
    numbers: Ints

    @property
    def instants(self) -> Ints:
        """A number for each symbol and venue time, the same in every play of this source."""
        times_ns: Ints = self.block.ts_ns
        return times_ns + self.block.symbol.astype(np.int64) * SYMBOL_STEP

    def only(self, mask: Mask) -> "NumberedEvents":
        """Some of the events."""
        return NumberedEvents(taken(self.block, np.flatnonzero(mask)), self.numbers[mask])


class EventFaults:
    """Applies the spans of one connection to its events, and holds the events that are delivered later."""

    def __init__(self, schedule: FaultSchedule) -> None:
        self._schedule = schedule
        self._held: list[tuple[int, int, MessageLayout, NumberedEvents]] = []
        self._holds = 0
        self._masks: dict[int, tuple[tuple[str, ...], Mask]] = {}
        self._looked_at: Chunk | None = None
        self._looked_for: tuple[int, ...] = ()
        self._bounds: list[int] = []
        self._touched: Mask = np.zeros(0, np.bool_)

    def __bool__(self) -> bool:
        return bool(self._held)

    def apply(self, spans: list[Fault], events: NumberedEvents, layout: MessageLayout) -> list[Block]:
        """The blocks to deliver now in place of these events."""
        parts = [events]
        for fault, event_fault in _of_events(spans):
            parts = [result for part in parts for result in self._changed(fault, event_fault, part, layout)]
        return [part.block for part in parts if len(part.block)]

    def concerns(self, spans: list[Fault], chunk: Chunk, first: int, last: int) -> bool:
        """Whether a span changes any event of the chunk's frames [first, last)."""
        key = tuple(fault.number for fault in spans)
        if self._looked_at is not chunk or self._looked_for != key or self._bounds is not chunk.bounds:
            self._looked_at, self._looked_for, self._bounds = chunk, key, chunk.bounds
            events = NumberedEvents(*chunk.played())
            touched = np.zeros(len(events.block), np.bool_)
            for fault, event_fault in _of_events(spans):
                touched |= self._choose(fault, event_fault, events)
            self._touched = touched
        return bool(self._touched[chunk.bounds[first] : chunk.bounds[last]].any())

    def release(self, spans: list[Fault], now_ns: int) -> list[tuple[MessageLayout, Block]]:
        """The held events that are due at this play time, with their layouts; those of a muted symbol are withheld."""
        out = []
        mutes = [fault for fault in spans if fault.kind.name == "mute"]
        while self._held and self._held[0][0] <= now_ns:
            _, _, layout, events = heappop(self._held)
            out += [(layout, block) for block in self.apply(mutes, events, layout)]
        return out

    def _changed(
        self, fault: Fault, event_fault: "EventFault", events: NumberedEvents, layout: MessageLayout
    ) -> list[NumberedEvents]:
        chosen = self._choose(fault, event_fault, events)
        count = int(np.count_nonzero(chosen))
        if not count:
            return [events]
        self._schedule.count(fault, count)
        return event_fault.change(self, fault, events, chosen, layout)

    def _choose(self, fault: Fault, event_fault: "EventFault", events: NumberedEvents) -> Mask:
        """The candidates that the fault concerns."""
        candidates = event_fault.candidates(events.block)
        if fault.symbols:
            candidates = candidates & self._named(fault, events.block.symbols)[events.block.symbol]
        share = fault.values.get("share", 1.0)
        if share < 1.0:
            numbers = events.instants if event_fault.delays else events.numbers
            candidates = candidates & (fractions(self._schedule.seed, fault.number, numbers) < share)
        return candidates

    def _named(self, fault: Fault, symbols: tuple[str, ...]) -> Mask:
        """Per symbol of the market, and for none, whether the fault names it."""
        known = self._masks.get(fault.number)
        if known is None or known[0] is not symbols:
            mask = np.array([symbol in fault.symbols for symbol in (*symbols, "")])
            known = self._masks[fault.number] = symbols, mask
        return known[1]

    def hold(self, events: NumberedEvents, delay_s: float, layout: MessageLayout) -> None:
        """Deliver events so much later, in session seconds."""
        if len(events.block):
            self._holds += 1
            due_ns = self._schedule.now_ns + int(delay_s * SECOND_NS)
            heappush(self._held, (due_ns, self._holds, layout, events))

    def late(self, fault: Fault, events: NumberedEvents, chosen: Mask, layout: MessageLayout) -> list[NumberedEvents]:
        """Hold trades back."""
        self.hold(events.only(chosen), fault.values["delay_s"], layout)
        return [events.only(~chosen)]

    def reorder(
        self, fault: Fault, events: NumberedEvents, chosen: Mask, layout: MessageLayout
    ) -> list[NumberedEvents]:
        """Hold trades and quotes back for different short times."""
        step = (fractions(self._schedule.seed, -fault.number, events.instants) * STEPS_OF_DELAY).astype(np.int64)
        for number in range(STEPS_OF_DELAY):
            delay_s = fault.values["within_s"] * (number + 1) / STEPS_OF_DELAY
            self.hold(events.only(chosen & (step == number)), delay_s, layout)
        return [events.only(~chosen)]

    def duplicate(
        self, _fault: Fault, events: NumberedEvents, chosen: Mask, _layout: MessageLayout
    ) -> list[NumberedEvents]:
        """Repeat trades and quotes."""
        return [events, events.only(chosen)]

    def corrections(
        self, fault: Fault, events: NumberedEvents, chosen: Mask, layout: MessageLayout
    ) -> list[NumberedEvents]:
        """Report trades wrongly, under another id; the correction gives the true price and id."""
        block = events.block
        ids, prices = block.trade_id.copy(), block.price.copy()
        ids[chosen] = _false_ids(fault, events.numbers[chosen])
        prices[chosen] = np.round(prices[chosen] * WRONG_PRICE, 2) + 0.01
        wrong = NumberedEvents(replace(block, price=prices, trade_id=ids), events.numbers)
        self._hold_revisions(CORRECTION, events.only(chosen), wrong.only(chosen).block, fault, layout)
        return [wrong]

    def cancels(
        self, fault: Fault, events: NumberedEvents, chosen: Mask, layout: MessageLayout
    ) -> list[NumberedEvents]:
        """Report trades beside the true ones, and cancel them."""
        true = events.only(chosen)
        prices = np.round(true.block.price * WRONG_PRICE, 2) + 0.01
        false = replace(true.block, price=prices, trade_id=_false_ids(fault, true.numbers))
        self._hold_revisions(CANCEL, true, false, fault, layout)
        return [events, NumberedEvents(false, true.numbers)]

    def skew(self, fault: Fault, events: NumberedEvents, _chosen: Mask, _layout: MessageLayout) -> list[NumberedEvents]:
        """Shift the times of events."""
        shifted = events.block.ts_ns + int(fault.values["ms"] * MS_NS)
        return [NumberedEvents(replace(events.block, ts_ns=shifted), events.numbers)]

    def mute(self, _fault: Fault, events: NumberedEvents, chosen: Mask, _layout: MessageLayout) -> list[NumberedEvents]:
        """Withhold events."""
        return [events.only(~chosen)]

    def _hold_revisions(
        self, kind: int, true: NumberedEvents, false: Block, fault: Fault, layout: MessageLayout
    ) -> None:
        """Hold the messages that put false trades right; their time is that of the message."""
        delay_s = fault.values["delay_s"]
        originals = Originals(false.trade_id, false.price, false.size, false.conditions)
        kinds = np.full(len(false), kind, np.int8)
        times_ns = true.block.ts_ns + int(delay_s * SECOND_NS)
        self.hold(
            NumberedEvents(replace(true.block, kind=kinds, ts_ns=times_ns, originals=originals), true.numbers),
            delay_s,
            layout,
        )


class EventFault(NamedTuple):
    """Which events a fault may concern, and what becomes of the chosen ones; `delays`: they are delivered later.

    Events of one symbol with one venue time are delayed together: their order decides which trade opens and closes a
    minute, and no client could know it otherwise.
    """

    candidates: Callable[[Block], Mask]
    change: Callable[[EventFaults, Fault, NumberedEvents, Mask, MessageLayout], list[NumberedEvents]]
    delays: bool = False


def _all(block: Block) -> Mask:
    return np.ones(len(block), np.bool_)


def _ticks(block: Block) -> Mask:
    mask: Mask = block.kind <= QUOTE
    return mask


def _trades(block: Block) -> Mask:
    mask: Mask = block.kind == TRADE
    return mask


def _named_trades(block: Block) -> Mask:
    return _trades(block) & (block.trade_id > 0)


EVENT_FAULTS: Final = {
    "late": EventFault(_trades, EventFaults.late, delays=True),
    "reorder": EventFault(_ticks, EventFaults.reorder, delays=True),
    "duplicate": EventFault(_ticks, EventFaults.duplicate),
    "corrections": EventFault(_named_trades, EventFaults.corrections),
    "cancels": EventFault(_named_trades, EventFaults.cancels),
    "clock_skew": EventFault(_all, EventFaults.skew),
    "mute": EventFault(_all, EventFaults.mute),
}
"""By the name of their kind."""


def _of_events(spans: list[Fault]) -> list[tuple[Fault, EventFault]]:
    """The spans that change events; a skew may be of the page /clock alone."""
    return [
        (fault, EVENT_FAULTS[fault.kind.name])
        for fault in spans
        if fault.kind.name in EVENT_FAULTS and fault.values.get("of") != "clock"
    ]


def fractions(seed: int, salt: int, numbers: Ints) -> NDArray[np.float64]:
    """A number from 0 to 1 for each of these, without order between them (splitmix64)."""
    start = (seed * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) % 2**64
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: NDArray[np.float64] = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2**53
    return result


def _false_ids(fault: Fault, numbers: Ints) -> NDArray[np.uint64]:
    return (FIRST_FALSE_ID + numbers * 1_000 + fault.number).astype(np.uint64)
