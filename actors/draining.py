"""Nodes that are about to go: preempted by the cloud, or taken down by the autoscaler."""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from ray._private.state import state

LOOK_EVERY_S: Final = 1.0


class Draining:
    """Tells once of every actor on a node that is drained, so that it can be made anew elsewhere before the deadline.

    No new actor is placed on such a node. Ray has no public call for this; its own libraries ask in this way.
    """

    def __init__(self) -> None:
        self._looked_s = 0.0
        self._told: set[tuple[str, str]] = set()

    def leaving(self, nodes: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        """Of the actors by name and node those that have to leave now, with the reason; looks now and then."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return []
        self._looked_s = now_s
        deadlines_ms = state.get_draining_nodes()
        found = []
        for name, node in nodes.items():
            if node in deadlines_ms and (name, node) not in self._told:
                self._told.add((name, node))
                left_s = deadlines_ms[node] / 1000 - time.time()
                when = f"which goes in {left_s:.0f} s" if deadlines_ms[node] else "which is to go"
                found.append((name, f"its node {node[:8]} is drained, {when}"))
        return found
