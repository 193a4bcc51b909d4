"""From two readings of the clocks to slices of the timeline: the arithmetic of the probe.

Tests: tests/desk/process/test_waits.py
"""

from typing import Final, NamedTuple

from desk.model.units import MS_NS
from desk.telemetry.wait_timeline import WaitSlice, WaitTimes

LONG_NS: Final = 5 * MS_NS
SLACK_NS: Final = MS_NS // 2
"""A wake-up this late needs no cause: timers have a slack, and a thread that yields the lock needs a moment."""


class ProbeReading(NamedTuple):
    """Clocks at one wake-up of the probe, in ns: `due_ns` is when it wanted the lock, `now_ns` when it got it.

    The others are totals: of the probe's own run-queue wait; of the working thread's run-queue wait and CPU time; of
    throttling; of the collector's pauses; of all threads' CPU time. `asleep_cpu_ns` is the working thread's CPU time
    when the probe fell asleep.
    """

    due_ns: int
    now_ns: int
    probe_queue_ns: int
    queue_ns: int
    cpu_ns: int
    throttled_ns: int
    gc_ns: int
    process_cpu_ns: int = 0
    asleep_cpu_ns: int = 0


def slices(before: ProbeReading, now: ProbeReading) -> list[WaitSlice]:
    """The time between two readings: up to when the probe was due, and from there until it had the lock.

    The overshoot less the run-queue wait of the probe or of the working thread is time in which the interpreter's lock
    was held, less the CPU time of the working thread by the working thread itself. All CPU time since
    the probe fell asleep is counted against the overshoot, so the lock's share is a lower bound.
    """
    wall_ns = now.now_ns - before.now_ns
    overshoot_ns = max(now.now_ns - max(now.due_ns, before.now_ns), 0)
    cpu_ns = min(now.cpu_ns - before.cpu_ns, wall_ns)
    queue_ns = now.queue_ns - before.queue_ns
    gc_ns = min(now.gc_ns - before.gc_ns, wall_ns)
    active_ns = max(cpu_ns, gc_ns)  # any thread may run the collector
    probe_queue_ns = now.probe_queue_ns - before.probe_queue_ns
    used_ns = now.cpu_ns - max(now.asleep_cpu_ns, before.cpu_ns)
    others_queue_ns = round(queue_ns * _share_of_others(before, now))
    held_ns = overshoot_ns - max(probe_queue_ns, queue_ns - others_queue_ns) - max(used_ns, gc_ns)
    lock_ns = held_ns if held_ns > SLACK_NS else 0
    queue_ns = min(queue_ns, max(wall_ns - lock_ns - active_ns, 0))
    throttled_ns = min(now.throttled_ns - before.throttled_ns, queue_ns)
    kept_ns = max(overshoot_ns - probe_queue_ns - gc_ns, 0) if overshoot_ns > SLACK_NS else 0
    if kept_ns:
        kept_ns = min(kept_ns + others_queue_ns, overshoot_ns)
    if kept_ns > LONG_NS:  # the threads that held it then ran before, too, while the probe slept
        kept_ns = max(kept_ns, min(now.process_cpu_ns - before.process_cpu_ns - cpu_ns, wall_ns))
    times = WaitTimes(lock_ns, throttled_ns, queue_ns - throttled_ns, gc_ns, active_ns - gc_ns, kept_ns)
    asleep_ns = wall_ns - overshoot_ns
    if not kept_ns or asleep_ns <= 0 or kept_ns > overshoot_ns:
        return [WaitSlice(now.now_ns, times)]
    rest = times._replace(lock=0, held=0)
    early = WaitTimes(*(round(part * asleep_ns / (wall_ns - lock_ns)) for part in rest))
    late = WaitTimes(*(max(part - gone, 0) for part, gone in zip(times, early, strict=True)))
    return [WaitSlice(now.now_ns - overshoot_ns, early), WaitSlice(now.now_ns, late)]


def _share_of_others(before: ProbeReading, now: ProbeReading) -> float:
    """How likely it is that another thread than the working one held the lock: by the CPU time that both used.

    While another thread holds the lock, the working thread wakes up now and then to ask for it. That it waits for a CPU
    then is not why it waits. While it holds the lock itself, it is.
    """
    cpu_ns, process_ns = now.cpu_ns - before.cpu_ns, now.process_cpu_ns - before.process_cpu_ns
    return max(process_ns - cpu_ns, 0) / process_ns if process_ns > 0 else 0.0
