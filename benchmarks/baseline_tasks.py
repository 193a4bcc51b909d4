"""Baseline (a): one process, one asyncio.Queue for each of N worker tasks."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from multiprocessing.connection import Connection
from typing import Final

from benchmarks.baseline_stream import ticks_of
from benchmarks.baseline_worker import REPORT_NS, Worker, disable_gc
from benchmarks.reading import Reading
from desk.flow.routing_table import RoutingTable
from desk.model.items import Mark
from desk.model.ticks import Event, Trade
from desk.model.units import SECOND_NS

CAPACITY: Final = 50_000


class TaskBaseline:
    """The reading task and its worker tasks.

    `batched` enqueues one list per message and worker instead of one item per event: the fastest form of this design.
    """

    def __init__(self, url: str, slow_us: Sequence[float], *, batched: bool) -> None:
        self._url = url
        self._batched = batched
        self._workers = [Worker(time.time_ns(), us) for us in slow_us]
        self._queues: list[asyncio.Queue[Event | Mark | list[Event]]] = [asyncio.Queue(CAPACITY) for _ in slow_us]
        self._table = RoutingTable.even(range(len(slow_us)))
        self._routes: dict[str, int] = {}
        self._received = 0

    async def run(self, reports: Connection) -> None:
        """Run until the process is killed."""
        async with asyncio.TaskGroup() as group:
            for worker, queue in zip(self._workers, self._queues, strict=True):
                group.create_task(self._work(worker, queue))
            group.create_task(self._mark())
            group.create_task(self._report(reports))
            group.create_task(self._read_batched() if self._batched else self._read())

    async def _read(self) -> None:
        routes, queues = self._routes, self._queues
        async with aclosing(ticks_of(self._url)) as stream:  # type: ignore[type-var]  # an async generator
            async for ticks in stream:
                self._received += len(ticks)
                for tick in ticks:
                    shard = routes.get(tick.symbol)
                    if shard is None:
                        shard = routes[tick.symbol] = self._table.shard_of(tick.symbol)
                    queue = queues[shard]
                    if queue.full():
                        await queue.put(tick)
                    else:
                        queue.put_nowait(tick)

    async def _read_batched(self) -> None:
        routes, queues = self._routes, self._queues
        async with aclosing(ticks_of(self._url)) as stream:  # type: ignore[type-var]  # an async generator
            async for ticks in stream:
                self._received += len(ticks)
                parts: list[list[Event]] = [[] for _ in queues]
                for tick in ticks:
                    shard = routes.get(tick.symbol)
                    if shard is None:
                        shard = routes[tick.symbol] = self._table.shard_of(tick.symbol)
                    parts[shard].append(tick)
                for queue, part in zip(queues, parts, strict=True):
                    if part:
                        await queue.put(part)

    async def _work(self, worker: Worker, queue: asyncio.Queue[Event | Mark | list[Event]]) -> None:
        """Drain the queue without yielding to the event loop: cheaper than one await per item."""
        clock_ns = time.time_ns
        while True:
            item = await queue.get()
            while True:
                now_ns = clock_ns()
                if type(item) is Trade:
                    worker.take(item, now_ns)
                elif isinstance(item, list):
                    for tick in item:
                        if type(tick) is Trade:
                            worker.take(tick, now_ns)
                else:
                    worker.second(now_ns)
                if queue.empty():
                    break
                item = queue.get_nowait()

    async def _mark(self) -> None:
        while True:
            now_ns = time.time_ns()
            await asyncio.sleep((SECOND_NS - now_ns % SECOND_NS) / SECOND_NS)
            now_ns = time.time_ns()
            for queue in self._queues:
                await queue.put(Mark(now_ns, now_ns))

    async def _report(self, reports: Connection) -> None:
        while True:
            now_ns = time.time_ns()
            parts = [worker.report(now_ns) for worker in self._workers]
            total = Reading.sum(now_ns, [*parts, Reading(now_ns, self._received)])
            reports.send(total)
            await asyncio.sleep(REPORT_NS / SECOND_NS)


def run_tasks(url: str, slow_us: Sequence[float], batched: bool, reports: Connection) -> None:
    """Run the baseline in this process until it is killed."""
    disable_gc()
    asyncio.run(TaskBaseline(url, slow_us, batched=batched).run(reports))
