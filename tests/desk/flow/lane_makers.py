"""Builders of lanes and their items."""

from typing import Any

import msgspec

from desk.flow import Lane, LaneConfig
from desk.model.batch import Ack, Batch, decode_batch
from desk.model.items import Item, Mark
from desk.model.orders import OrderEvent
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS

CONFIG = LaneConfig(
    source="producer",
    epoch=3,
    capacity=8,
    window_batches=4,
    linger_ns=1_000_000,
    write_timeout_ns=SECOND_NS,
    lag_threshold=4,
    max_data_latency_ns=10 * SECOND_NS,
    lossless=False,
)


def lane(**changed: Any) -> Lane:
    return Lane(5, msgspec.structs.replace(CONFIG, **changed))


def trade(ordinal: int, symbol: str = "SPY", ts_ns: int = 0, received_ns: int = 0) -> Trade:
    return Trade(ordinal, symbol, ts_ns, received_ns, 10.0, 100.0)


def quote(ordinal: int, symbol: str = "SPY", received_ns: int = 0) -> Quote:
    return Quote(ordinal, symbol, received_ns, received_ns, 9.5, 100.0, 10.5, 200.0)


def mark(second: int, received_ns: int = 0, feed_lag_ns: int = 0) -> Mark:
    return Mark(second * SECOND_NS, received_ns, feed_lag_ns)


def order_event(number: int, symbol: str = "SPY") -> OrderEvent:
    return OrderEvent(number, symbol, "s", f"s-{number}", "accepted", "buy", "market", "day", 1.0, 0)


def ack(seq: int) -> Ack:
    return Ack(5, 1, seq, 0, 0)


def waiting(lane: Lane) -> list[Item]:
    """The items in the lane, without its holes."""
    return [item for item in lane.pending.items if item is not None]


def drain(lane: Lane, now_ns: int = 0) -> list[Batch]:
    """Cut and acknowledge until nothing waits."""
    batches = []
    for seq in list(lane.in_flight):
        lane.on_ack(ack(seq))
    while (payload := lane.cut(now_ns, hurry=True)) is not None:
        batches.append(decode_batch(payload))
        lane.on_ack(ack(batches[-1].seq))
    return batches
