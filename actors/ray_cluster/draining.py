"""Nodes that are about to go: preempted by the cloud, or taken down by the autoscaler."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

LOOK_EVERY_S: Final = 1.0

Deadlines = Callable[[], Mapping[str, int]]
"""Asks for the nodes that are drained, each with its deadline in ms since the epoch; 0 where there is none."""


class DrainingNodes:
    """Tells once of every actor on a node that is drained, so that it can be made anew elsewhere before the deadline.

    No new actor is placed on such a node.
    """

    def __init__(self, deadlines: Deadlines, look_every_s: float = LOOK_EVERY_S) -> None:
        self._deadlines_ms = deadlines
        self._look_every_s = look_every_s
        self._looked_s = -look_every_s
        self._told: set[tuple[str, str]] = set()

    def leaving(self, nodes: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        """Of the actors by name and node those that have to leave now, with the reason; looks now and then."""
        now_s = time.monotonic()
        if now_s - self._looked_s < self._look_every_s:
            return []
        self._looked_s = now_s
        deadlines_ms = self._deadlines_ms()
        found = []
        for name, node in nodes.items():
            if node in deadlines_ms and (name, node) not in self._told:
                self._told.add((name, node))
                found.append((name, f"its node {node[:8]} is drained, {_when(deadlines_ms[node])}"))
        return found


def _when(deadline_ms: int) -> str:
    if not deadline_ms:
        return "which is to go"
    return f"which goes in {max(deadline_ms / 1000 - time.time(), 0):.0f} s"
