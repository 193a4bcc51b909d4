"""The lower bound of the desk's cost: decode → route → bars in one plain loop, without socket, lane or actor.

    python -m benchmarks.floor [--rate R] [--events N]

It uses the feed's codec, the frames of the standard load, and the desk's bar builder. A frame holds the events of one
millisecond at the rate, or a single event.
"""

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from benchmarks.load import SEED, SYMBOLS
from benchmarks.results import print_results
from desk.bars.builder import BarBuilder
from desk.flow.routing_table import RoutingTable
from desk.local_venue.chunk import Chunk
from desk.local_venue.client_subscription import ClientSubscription
from desk.local_venue.column_encoders import MSGPACK
from desk.local_venue.events import playable
from desk.local_venue.selection import Selection
from desk.local_venue.standard_load import START_NS, StandardLoad
from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, Trade
from desk.model.units import MS_NS
from desk.venues.alpaca.market.codec import Codec

SHARDS: Final = 4
Take = Callable[[Sequence[Event]], None]


def frames(rate: float, events: int, *, single: bool) -> list[bytes]:
    """The payloads that the venue would send for the standard load."""
    source = StandardLoad(SEED, SYMBOLS, rate, events, mix_quotes=False)
    everything = ClientSubscription()
    everything.add({"trades": ("*",)})
    selection = Selection(everything, source.symbols)
    made: list[bytes] = []
    number = 0
    for block in playable(source, "trades", None):
        chunk = Chunk(block, framed=False, fresh_ids=True)
        frame_ns = 1 if single else MS_NS
        chunk.begin(block.recv_ns - START_NS, block.ts_ns, frame_ns, number)
        made += chunk.run(MSGPACK, False, selection).payloads(0, len(chunk.release_ns))
        number += len(block)
    return made


class BarWork:
    """Routes each event to its shard, and builds bars there."""

    def __init__(self) -> None:
        self.events_of = [0] * SHARDS
        self._table = RoutingTable.even(range(SHARDS))
        self._shards: list[dict[str, BarBuilder]] = [{} for _ in range(SHARDS)]
        self._routes: dict[str, int] = {}

    def route(self, ticks: Sequence[Event]) -> None:
        """Find each event's shard."""
        routes, counts = self._routes, self.events_of
        for tick in ticks:
            shard = routes.get(tick.symbol)
            if shard is None:
                shard = routes[tick.symbol] = self._table.shard_of(tick.symbol)
            counts[shard] += 1

    def fold(self, ticks: Sequence[Event]) -> None:
        """Find each trade's shard, and add the trade to its bar."""
        routes, counts, shards = self._routes, self.events_of, self._shards
        for tick in ticks:
            if type(tick) is not Trade:
                continue
            symbol = tick.symbol
            shard = routes.get(symbol)
            if shard is None:
                shard = routes[symbol] = self._table.shard_of(symbol)
            counts[shard] += 1
            builder = shards[shard].get(symbol)
            if builder is None:
                builder = shards[shard][symbol] = BarBuilder(symbol, START_NS)
            builder.add(tick, START_NS)


def cpu_us(payloads: Sequence[bytes], take: Take | None) -> tuple[float, int]:
    """CPU µs per event of decoding these frames and passing their ticks to `take`; and the number of events."""
    codec = Codec("msgpack", "floor", BlockFeedCounts())
    events = 0
    gc.collect()
    gc.disable()
    began_ns = time.process_time_ns()
    for payload in payloads:
        ticks: list[Event] = []
        codec.decode(payload, time.time_ns(), ticks)
        events += len(ticks)
        if take is not None:
            take(ticks)
    used_ns = time.process_time_ns() - began_ns
    gc.enable()
    return used_ns / 1000 / events, events


def measure(rate: float, events: int) -> list[dict[str, Any]]:
    """Rows for both kinds of frames: decoding alone, with routing, with bars. Each is the best of three passes."""
    rows = []
    for single in (False, True):
        payloads = frames(rate, events if not single else events // 4, single=single)
        wire_bytes = float(np.mean([len(payload) for payload in islice(payloads, 10_000)]))
        for what, method in (("decode", ""), ("decode, route", "route"), ("decode, route, bars", "fold")):
            passes = [cpu_us(payloads, getattr(BarWork(), method) if method else None) for _ in range(3)]
            used_us, count = min(passes)
            rows.append(
                {
                    "what": f"{what}, {'single' if single else '1 ms'} frames",
                    "events": count,
                    "events_per_frame": round(count / len(payloads), 1),
                    "bytes_per_event": round(wire_bytes * len(payloads) / count, 1),
                    "cpu_us_per_event": round(used_us, 3),
                    "events_per_cpu_s": round(1e6 / used_us),
                }
            )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200_000)
    parser.add_argument("--events", type=int, default=400_000)
    options = parser.parse_args()
    print_results("benchmarks.floor", measure(options.rate, options.events), rate=options.rate)


if __name__ == "__main__":
    main()
