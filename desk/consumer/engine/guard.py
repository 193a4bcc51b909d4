"""Runs strategies: an exception stops the strategy for its symbol and nothing else; slow calls are reported.

Only a KeyboardInterrupt by ctrl-c passes through.
"""

import pickle
import traceback
from collections.abc import Callable, Collection, Iterable
from typing import Final

from desk.consumer.engine.call_tracer import CallTracer
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.instance import Instance, SymbolView
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.state_pickling import StateTooLargeError, pickle_within
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.symbols import SecondHook, SecondHooks, ShardSymbols
from desk.model.interrupt_origin import is_from_signal
from desk.telemetry.audit import MAX_EXAMPLES, Audit, StrategyFault, fault_line, fault_trace
from desk.telemetry.breadcrumb_port import AT, CALL, CODES, EVERYWHERE, BreadcrumbWriter
from desk.telemetry.call_times import CallTimes

MIB: Final = 1024 * 1024
MOST_STATE_BYTES: Final = 16 * MIB


class Guard:
    """The one place from which strategies' code is called.

    `stopwatch` returns ns of a running timer, for `times` and the audit of slow calls: no decision depends on it.
    Stopping an instance refreshes the hooks that `symbols` run. `crumbs` hold the call under way, readable from outside
    the process. The instances in `never_restored`, by (strategy, symbol), are not unpickled, because unpickling may be
    the call that hung. A strategy whose state exceeds `state_bytes` in a checkpoint is stopped. `tracer` records the
    calls while a traced batch is applied.
    """

    def __init__(
        self,
        now: EngineClock,
        outbox: EngineOutbox,
        symbols: ShardSymbols,
        audit: Audit,
        budget_ns: int,
        stopwatch: Callable[[], int],
        crumbs: BreadcrumbWriter,
        never_restored: Collection[tuple[str, str]] = (),
        state_bytes: int = MOST_STATE_BYTES,
        times: CallTimes | None = None,
    ) -> None:
        self.audit = audit
        self._times = times or CallTimes()
        self.never_restored = frozenset(never_restored)
        self.tracer: CallTracer | None = None
        self._now = now
        self._outbox = outbox
        self._symbols = symbols
        self._budget_ns = budget_ns
        self._stopwatch = stopwatch
        self._crumbs = crumbs
        self._cells = crumbs.cells
        self._state_bytes = state_bytes

    def create_empty(self, entry: StrategyEntry, view: SymbolView) -> Instance:
        """An instance that has no strategy yet."""
        crumb = self._crumbs.register(entry.name, view.symbol)
        return Instance(entry, view, self._now, self._outbox, self._times.recorders(entry.name), crumb)

    def create(self, entry: StrategyEntry, view: SymbolView) -> Instance:
        """A fresh instance; a stopped one if its constructor fails."""
        instance = self.create_empty(entry, view)
        self._enter(instance, "__init__")
        try:
            instance.strategy = entry.create()
        except BaseException as fault:
            if is_from_signal(fault):
                raise
            self.stop(instance, "__init__", fault)
        self._cells[CALL] = 0
        return instance

    def create_stopped(self, entry: StrategyEntry, view: SymbolView, why: str) -> Instance:
        """A stopped instance whose strategy is not constructed, because the constructor may be the call that hung."""
        instance = self.create_empty(entry, view)
        self.stop_from_outside(instance, why)
        return instance

    def call_hook(self, instances: Iterable[Instance], hook: str, argument: object, at: int) -> None:
        """Call a hook of each instance that is not stopped; `at` distinguishes this call from the next one."""
        stopwatch = self._stopwatch
        cells = self._cells
        code = CODES[hook]
        cells[AT] = at
        if self.tracer is not None:
            instances = self.tracer.around(instances, hook)
        for instance in instances:
            if instance.stopped:
                continue
            cells[CALL] = instance.crumb + code
            began_ns = stopwatch()
            try:
                getattr(instance.strategy, hook)(instance.context, argument)
            except BaseException as fault:
                if is_from_signal(fault):
                    raise
                self.stop(instance, hook, fault)
            took_ns = stopwatch() - began_ns
            instance.took[code](took_ns)
            if took_ns > self._budget_ns:
                self._note_slow(instance, hook, took_ns)
        cells[CALL] = 0

    def call_on_second(self, hooks: SecondHooks) -> None:
        """Call these `on_second` hooks. This is the hottest loop, so one reading of the stopwatch serves two calls."""
        stopwatch = self._stopwatch
        record = self._times.second(hooks.strategies)
        budget_ns = self._budget_ns
        cells = self._cells
        cells[AT] = self._now.session_ns
        calls: Iterable[SecondHook] = hooks.calls
        if self.tracer is not None:
            calls = self.tracer.around(calls, "on_second")
        began_ns = stopwatch()
        record(began_ns)
        for instance, hook in calls:
            cells[CALL] = instance.crumb  # the code of on_second is 0
            try:
                hook(instance.context)
            except BaseException as fault:
                if is_from_signal(fault):
                    raise
                self.stop(instance, "on_second", fault)
            ended_ns = stopwatch()
            record(ended_ns)
            if ended_ns - began_ns > budget_ns:
                self._note_slow(instance, "on_second", ended_ns - began_ns)
            began_ns = ended_ns
        cells[CALL] = 0

    def pickle_strategy(self, instance: Instance) -> bytes:
        """The strategy as a pickle; empty for a stopped one. A strategy that does not pickle is stopped."""
        if instance.stopped:
            return b""
        self._enter(instance, "checkpoint")
        frozen = b""
        try:
            frozen = pickle_within(instance.strategy, self._state_bytes)
        except StateTooLargeError:
            self.stop_from_outside(instance, f"its state is above [guards] state_mb = {self._state_bytes / MIB:g}")
        except BaseException as fault:
            if is_from_signal(fault):
                raise
            self.stop(instance, "checkpoint", fault)
        self._cells[CALL] = 0
        return frozen

    def unpickle_strategy(self, instance: Instance, strategy: bytes) -> None:
        """Unpickle the instance's strategy; one that does not unpickle is stopped."""
        if {(instance.entry.name, instance.symbol), (instance.entry.name, EVERYWHERE)} & self.never_restored:
            return
        self._enter(instance, "restore")
        try:
            instance.strategy = pickle.loads(strategy)  # noqa: S301 - written by `pickle_strategy`
        except BaseException as fault:
            if is_from_signal(fault):
                raise
            self.stop(instance, "restore", fault)
        self._cells[CALL] = 0

    def stop(self, instance: Instance, hook: str, fault: BaseException) -> None:
        """Stop a strategy for its symbol; its orders and position are still tracked."""
        if isinstance(fault, MemoryError):
            self._free(instance, fault)
        instance.deactivate()
        what, detail = self._told(fault)
        self.audit.stopped.append(self._fault(instance, hook, what, detail))
        self._symbols.refresh(instance.symbol)

    def stop_from_outside(self, instance: Instance, why: str) -> None:
        """Stop a strategy for its symbol on an outside decision: a call hung, or the strategy diverged."""
        instance.deactivate()
        self.audit.stopped.append(self._fault(instance, "watchdog", why))
        self._symbols.refresh(instance.symbol)

    def note_stopped_everywhere(self, strategy: str, why: str) -> None:
        """Audit, once, that the strategy is stopped for all symbols."""
        if not any(fault.strategy == strategy and fault.symbol == EVERYWHERE for fault in self.audit.stopped):
            self.audit.stopped.append(StrategyFault(strategy, EVERYWHERE, "watchdog", self._now.session_ns, why))

    def _enter(self, instance: Instance, call: str) -> None:
        """Record the call under way; the caller resets the cell afterwards."""
        self._cells[AT] = 0
        self._cells[CALL] = instance.crumb + CODES[call]

    def _free(self, instance: Instance, fault: MemoryError) -> None:
        """Free the strategy's memory, in its frames and attributes, even if other objects still refer to it."""
        traceback.clear_frames(fault.__traceback__)
        getattr(instance.strategy, "__dict__", {}).clear()
        self._crumbs.on_memory_exhausted()

    def _told(self, fault: BaseException) -> tuple[str, str]:
        """The exception in one line, and for the first faults the traceback; shorter if memory is short."""
        try:
            return fault_line(fault), fault_trace(fault) if len(self.audit.stopped) < MAX_EXAMPLES else ""
        except Exception:  # noqa: BLE001 - a MemoryError, or what the exception's own code raises
            return type(fault).__name__, ""

    def _note_slow(self, instance: Instance, hook: str, took_ns: int) -> None:
        self.audit.slow_calls += 1
        if len(self.audit.slow) < MAX_EXAMPLES:
            self.audit.slow.append(self._fault(instance, hook, f"{took_ns / 1e6:.1f} ms in one call"))

    def _fault(self, instance: Instance, hook: str, what: str, detail: str = "") -> StrategyFault:
        return StrategyFault(instance.entry.name, instance.symbol, hook, self._now.session_ns, what, detail)
