"""The faults of events: each turns a block of events into the blocks that are delivered instead.

Which events a fault chooses follows from the seed and from their number in the play alone: a play repeats them, however
its frames and connections fall.

Tests: tests/desk/local_venue/test_event_faults.py
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
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

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NumberedEvents:
    """Events, and their numbers in the play."""

    block: Block
    numbers: Ints

    def only(self, mask: Mask) -> "NumberedEvents":
        """Some of the events."""
        return NumberedEvents(taken(self.block, np.flatnonzero(mask)), self.numbers[mask])


class EventFaults:
    """Applies the spans of one connection to its events, and holds the events that are delivered later."""

    def __init__(self, schedule: FaultSchedule) -> None:
        self._schedule = schedule
        self._held: list[tuple[int, int, MessageLayout, NumberedEvents]] = []
        self._holds = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    def apply(self, spans: list[Fault], events: NumberedEvents, layout: MessageLayout) -> list[Block]:
        """The blocks to deliver now in place of these events."""
        parts = [events]
        for fault in spans:
            transform = TRANSFORMS.get(fault.kind.name)
            if transform is not None:
                parts = [result for part in parts for result in transform(self, fault, part, layout)]
        return [part.block for part in parts if len(part.block)]

    def release(self, spans: list[Fault], now_ns: int) -> list[tuple[MessageLayout, Block]]:
        """The held events that are due at this play time, with their layouts; those of a muted symbol are withheld."""
        out = []
        mutes = [fault for fault in spans if fault.kind.name == "mute"]
        while self._held and self._held[0][0] <= now_ns:
            _, _, layout, events = heappop(self._held)
            out += [(layout, block) for block in self.apply(mutes, events, layout)]
        return out

    def choose(self, fault: Fault, events: NumberedEvents, of: Mask) -> Mask:
        """Those of the events `of` that the fault concerns."""
        if fault.symbols:
            named = np.array([symbol in fault.symbols for symbol in (*events.block.symbols, "")])
            of = of & named[events.block.symbol]
        share = fault.values.get("share", 1.0)
        if share < 1.0:
            of = of & (fractions(self._schedule.seed, fault.number, events.numbers) < share)
        self._schedule.count(fault, int(np.count_nonzero(of)))
        return of

    def hold(self, events: NumberedEvents, delay_s: float, layout: MessageLayout) -> None:
        """Deliver events so much later, in session seconds."""
        if len(events.block):
            self._holds += 1
            due_ns = self._schedule.now_ns + int(delay_s * SECOND_NS)
            heappush(self._held, (due_ns, self._holds, layout, events))

    def late(self, fault: Fault, events: NumberedEvents, layout: MessageLayout) -> list[NumberedEvents]:
        """Hold trades back."""
        chosen = self.choose(fault, events, events.block.kind == TRADE)
        self.hold(events.only(chosen), fault.values["delay_s"], layout)
        return [events.only(~chosen)]

    def reorder(self, fault: Fault, events: NumberedEvents, layout: MessageLayout) -> list[NumberedEvents]:
        """Hold trades and quotes back for different short times."""
        chosen = self.choose(fault, events, events.block.kind <= QUOTE)
        step = (fractions(self._schedule.seed, -fault.number, events.numbers) * STEPS_OF_DELAY).astype(np.int64)
        for number in range(STEPS_OF_DELAY):
            delay_s = fault.values["within_s"] * (number + 1) / STEPS_OF_DELAY
            self.hold(events.only(chosen & (step == number)), delay_s, layout)
        return [events.only(~chosen)]

    def duplicate(self, fault: Fault, events: NumberedEvents, _layout: MessageLayout) -> list[NumberedEvents]:
        """Repeat trades and quotes."""
        chosen = self.choose(fault, events, events.block.kind <= QUOTE)
        return [events, events.only(chosen)]

    def corrections(self, fault: Fault, events: NumberedEvents, layout: MessageLayout) -> list[NumberedEvents]:
        """Report trades wrongly, under another id; the correction gives the true price and id."""
        chosen = self.choose(fault, events, (events.block.kind == TRADE) & (events.block.trade_id > 0))
        block = events.block
        ids, prices = block.trade_id.copy(), block.price.copy()
        ids[chosen] = _false_ids(fault, events.numbers[chosen])
        prices[chosen] = np.round(prices[chosen] * WRONG_PRICE, 2) + 0.01
        wrong = NumberedEvents(replace(block, price=prices, trade_id=ids), events.numbers)
        self._hold_revisions(CORRECTION, events.only(chosen), wrong.only(chosen).block, fault, layout)
        return [wrong]

    def cancels(self, fault: Fault, events: NumberedEvents, layout: MessageLayout) -> list[NumberedEvents]:
        """Report trades beside the true ones, and cancel them."""
        chosen = self.choose(fault, events, (events.block.kind == TRADE) & (events.block.trade_id > 0))
        true = events.only(chosen)
        prices = np.round(true.block.price * WRONG_PRICE, 2) + 0.01
        false = replace(true.block, price=prices, trade_id=_false_ids(fault, true.numbers))
        self._hold_revisions(CANCEL, true, false, fault, layout)
        return [events, NumberedEvents(false, true.numbers)]

    def skew(self, fault: Fault, events: NumberedEvents, _layout: MessageLayout) -> list[NumberedEvents]:
        """Shift the times of events."""
        if fault.values["of"] != "stamps":
            return [events]
        self._schedule.count(fault, len(events.block))
        shifted = events.block.ts_ns + int(fault.values["ms"] * MS_NS)
        return [NumberedEvents(replace(events.block, ts_ns=shifted), events.numbers)]

    def mute(self, fault: Fault, events: NumberedEvents, _layout: MessageLayout) -> list[NumberedEvents]:
        """Withhold events."""
        return [events.only(~self.choose(fault, events, np.ones(len(events.block), np.bool_)))]

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


Transform = Callable[[EventFaults, Fault, NumberedEvents, MessageLayout], list[NumberedEvents]]
TRANSFORMS: Final[dict[str, Transform]] = {
    "late": EventFaults.late,
    "reorder": EventFaults.reorder,
    "duplicate": EventFaults.duplicate,
    "corrections": EventFaults.corrections,
    "cancels": EventFaults.cancels,
    "clock_skew": EventFaults.skew,
    "mute": EventFaults.mute,
}
"""Applied in the order of the script."""


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
