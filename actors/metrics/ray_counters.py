"""Counters in Ray's metrics: exported by the dashboard agent with the prefix `ray_`, tagged by actor.

Tests: tests/actors/test_on_ray.py
"""

from collections.abc import Mapping

import ray
from ray.util.metrics import Counter, Gauge

TAG_KEYS = ("actor",)


class RayMetrics:
    """One actor's counters and gauges, named `raydesk_<name>` and created at first use."""

    def __init__(self, actor: str) -> None:
        self.node: str = ray.get_runtime_context().get_node_id()
        self._tags = {"actor": actor}
        self._counters: dict[str, Counter] = {}
        self._exported: dict[str, float] = {}
        self._gauges: dict[str, Gauge] = {}

    def totals(self, values: Mapping[str, float]) -> None:
        """Add the increase since the last call; Ray's Counter rejects an increase of 0."""
        for name, value in values.items():
            increase = value - self._exported.get(name, 0.0)
            if increase > 0:
                if name not in self._counters:
                    self._counters[name] = Counter(f"raydesk_{name}", name.replace("_", " "), TAG_KEYS)
                self._counters[name].inc(increase, self._tags)
                self._exported[name] = value

    def levels(self, values: Mapping[str, float]) -> None:
        """Set gauges."""
        for name, value in values.items():
            if name not in self._gauges:
                self._gauges[name] = Gauge(f"raydesk_{name}", name.replace("_", " "), TAG_KEYS)
            self._gauges[name].set(value, self._tags)
