"""Nodes that are being drained: preempted by the cloud, or removed by the autoscaler."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

LOOK_EVERY_S: Final = 1.0

Deadlines = Callable[[], Mapping[str, int]]
"""Returns the nodes that are being drained, each with its deadline in ms since the epoch; 0 for none."""


class DrainingNodes:
    """Reports each actor on a draining node once, so that it can be restarted on another node before the deadline.

    Ray places no new actor on a draining node.
    """

    def __init__(self, deadlines: Deadlines, look_every_s: float = LOOK_EVERY_S) -> None:
        self._deadlines_ms = deadlines
        self._look_every_s = look_every_s
        self._looked_s = -look_every_s
        self._reported: set[tuple[str, str]] = set()

    def leaving(self, nodes: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        """Return the actors that have to leave their nodes now, with the reason; checks at intervals."""
        now_s = time.monotonic()
        if now_s - self._looked_s < self._look_every_s:
            return []
        self._looked_s = now_s
        deadlines_ms = self._deadlines_ms()
        found = []
        for name, node in nodes.items():
            if node in deadlines_ms and (name, node) not in self._reported:
                self._reported.add((name, node))
                found.append((name, f"its node {node[:8]} is drained, {_when(deadlines_ms[node])}"))
        return found


def _when(deadline_ms: int) -> str:
    if not deadline_ms:
        return "and will stop"
    return f"and will stop in {max(deadline_ms / 1000 - time.time(), 0):.0f} s"
