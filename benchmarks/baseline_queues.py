"""Baselines (b) and (c): one multiprocessing.Queue per consumer process, one pickled message per event.

The pickled object is the event as msgspec bytes, which is cheaper in both directions than a struct or a tuple.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from multiprocessing import Queue
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec
from alpaca.data.enums import DataFeed
from alpaca.data.live import StockDataStream

from benchmarks.baseline_stream import ticks_of
from benchmarks.baseline_worker import REPORT_NS, Worker, disable_gc
from benchmarks.reading import Reading
from desk.flow.routing_table import RoutingTable
from desk.model.items import Mark
from desk.model.ticks import Trade
from desk.model.units import SECOND_NS

CAPACITY: Final = 50_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Trade | Mark).decode


class Fanout:
    """Sends each event to its consumer's queue, and a mark to every queue each second."""

    def __init__(self, queues: Sequence["Queue[bytes]"], reports: Connection) -> None:
        self.received = 0
        self._queues = list(queues)
        self._reports = reports
        self._table = RoutingTable.even(range(len(queues)))
        self._put_of: dict[str, Any] = {}

    def put(self, trade: Trade) -> None:
        """Send one event; block while the queue is full."""
        self.received += 1
        put = self._put_of.get(trade.symbol)
        if put is None:
            put = self._put_of[trade.symbol] = self._queues[self._table.shard_of(trade.symbol)].put
        put(_encode(trade))

    def start(self) -> None:
        """Start sending marks and reports, in a thread."""
        threading.Thread(target=self._mark, daemon=True).start()

    def _mark(self) -> None:
        never = threading.Event()
        marked_ns = time.time_ns()
        while True:
            never.wait(REPORT_NS / SECOND_NS)
            now_ns = time.time_ns()
            self._reports.send(Reading(now_ns, self.received))
            if now_ns // SECOND_NS > marked_ns // SECOND_NS:
                marked_ns = now_ns
                for queue in self._queues:
                    queue.put(_encode(Mark(now_ns, now_ns)))


def read_with_websockets(url: str, queues: Sequence["Queue[bytes]"], reports: Connection) -> None:
    """(b): websockets' asyncio client and the desk's codec."""
    disable_gc()
    fanout = Fanout(queues, reports)
    fanout.start()

    async def read() -> None:
        async for ticks in ticks_of(url):
            for tick in ticks:
                if type(tick) is Trade:
                    fanout.put(tick)

    asyncio.run(read())
    threading.Event().wait()


def read_with_alpaca(url: str, queues: Sequence["Queue[bytes]"], reports: Connection) -> None:
    """(c): alpaca-py's own stream, with raw messages to save the cost of a pydantic model for each."""
    logging.disable(logging.CRITICAL)
    disable_gc()
    fanout = Fanout(queues, reports)
    fanout.start()

    async def on_trade(message: dict[str, Any]) -> None:
        fanout.put(
            Trade(
                fanout.received,
                message["S"],
                message["t"].to_unix_nano(),
                time.time_ns(),
                message["p"],
                message["s"],
                "".join(message["c"]),
                message["x"],
                message["i"],
                message["z"],
            )
        )

    stream = StockDataStream("local", "local", raw_data=True, feed=DataFeed.SIP, url_override=url)
    stream.subscribe_trades(on_trade, "*")  # type: ignore[arg-type]  # alpaca-py's types omit raw data
    stream.run()


def consume(queue: "Queue[bytes]", slow_us: float, reports: Connection) -> None:
    """Run a consumer process until it is killed."""
    disable_gc()
    worker = Worker(time.time_ns(), slow_us)
    get, clock_ns = queue.get, time.time_ns
    while True:
        item = _decode(get())
        now_ns = clock_ns()
        if type(item) is Trade:
            worker.take(item, now_ns)
        else:
            worker.second(now_ns)
        if worker.report_due(now_ns):
            reports.send(worker.report(now_ns))
