"""The resource attributes of an actor of a run.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

from typing import NamedTuple

from desk.telemetry.readings import Readings


class RunAttributes(NamedTuple):
    """The resource attributes that all actors of a run share; `node` is that of actors that name none."""

    run: str
    desk: str
    version: str
    node: str

    def of_actor(self, readings: Readings) -> dict[str, str]:
        """The attributes of one actor's resource; its process id is none of them, as it changes with a restart."""
        attributes = {
            "service.name": "raydesk",
            "service.namespace": self.desk,
            "service.version": self.version,
            "service.instance.id": f"{self.run}/{readings.actor}",
            "raydesk.run": self.run,
            "raydesk.desk": self.desk,
            "raydesk.actor": readings.actor,
            "raydesk.node": readings.node or self.node,
        }
        role, _, number = readings.actor.rpartition("-")
        if role == "consumer" and number.isdigit():
            attributes["raydesk.shard"] = str(int(number))
        return {name: value for name, value in attributes.items() if value}
