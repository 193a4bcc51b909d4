"""Running strategies: whatever one raises stops it for its symbol, and nothing else; what takes long is told.

KeyboardInterrupt alone passes through: it comes from whoever runs the desk.
"""

import pickle
from collections.abc import Callable, Iterable

from desk.engine.audit import MAX_EXAMPLES, Audit, StrategyFault, one_line, trace
from desk.engine.instance import Instance, StrategyEntry, SymbolView
from desk.engine.now import Now

SecondHook = tuple[Instance, Callable[[Instance], None]]


class Guard:
    """The one place from which strategies' code is called.

    `stopwatch` gives ns of a running timer, for the audit of slow calls: no decision depends on it. `on_stop` is told
    of every instance that was stopped.
    """

    def __init__(
        self,
        now: Now,
        audit: Audit,
        budget_ns: int,
        stopwatch: Callable[[], int],
        on_stop: Callable[[Instance], None],
    ) -> None:
        self.audit = audit
        self._now = now
        self._budget_ns = budget_ns
        self._stopwatch = stopwatch
        self._on_stop = on_stop

    def create(self, entry: StrategyEntry, view: SymbolView) -> Instance:
        """A fresh instance; a stopped one where the strategy cannot be built."""
        instance = Instance(entry, view, self._now)
        try:
            instance.strategy = entry.create()
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - see the module
            self.stop(instance, "__init__", fault)
        return instance

    def each(self, instances: Iterable[Instance], hook: str, argument: object) -> None:
        """Call a hook of each instance that is not stopped."""
        stopwatch = self._stopwatch
        for instance in instances:
            if instance.stopped:
                continue
            began_ns = stopwatch()
            try:
                getattr(instance.strategy, hook)(instance, argument)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:  # noqa: BLE001 - see the module
                self.stop(instance, hook, fault)
            took_ns = stopwatch() - began_ns
            if took_ns > self._budget_ns:
                self._note_slow(instance, hook, took_ns)

    def seconds(self, hooks: Iterable[SecondHook]) -> None:
        """Call these `on_second` hooks: the hottest of all, so one reading of the stopwatch serves two calls."""
        stopwatch = self._stopwatch
        budget_ns = self._budget_ns
        began_ns = stopwatch()
        for instance, hook in hooks:
            try:
                hook(instance)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:  # noqa: BLE001 - see the module
                self.stop(instance, "on_second", fault)
            ended_ns = stopwatch()
            if ended_ns - began_ns > budget_ns:
                self._note_slow(instance, "on_second", ended_ns - began_ns)
            began_ns = ended_ns

    def freeze(self, instance: Instance) -> bytes:
        """The strategy as a pickle; empty for one that is stopped, or that does not pickle and is stopped now."""
        if instance.stopped:
            return b""
        try:
            return pickle.dumps(instance.strategy)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - see the module
            self.stop(instance, "checkpoint", fault)
            return b""

    def thaw(self, instance: Instance, strategy: bytes) -> None:
        """Put a pickled strategy back: this desk's own, from its keeper."""
        try:
            instance.strategy = pickle.loads(strategy)  # noqa: S301 - written by `freeze`
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - see the module
            self.stop(instance, "restore", fault)

    def stop(self, instance: Instance, hook: str, fault: BaseException) -> None:
        """Stop a strategy for its symbol; its orders and its position are still followed."""
        instance.retire()
        detail = trace(fault) if len(self.audit.stopped) < MAX_EXAMPLES else ""
        self.audit.stopped.append(self._fault(instance, hook, one_line(fault), detail))
        self._on_stop(instance)

    def _note_slow(self, instance: Instance, hook: str, took_ns: int) -> None:
        self.audit.slow_calls += 1
        if len(self.audit.slow) < MAX_EXAMPLES:
            self.audit.slow.append(self._fault(instance, hook, f"{took_ns / 1e6:.1f} ms in one call"))

    def _fault(self, instance: Instance, hook: str, what: str, detail: str = "") -> StrategyFault:
        return StrategyFault(instance.entry.name, instance.symbol, hook, self._now.session_ns, what, detail)
