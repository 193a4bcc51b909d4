"""Reports actors that wait for room on the cluster, and the resources that are missing."""

from collections.abc import Callable, Mapping
from logging import Logger
from typing import Final

from actors.ray_cluster.gcs import ClusterCapacity

TOLD_S: Final = 10.0
LONG_S: Final = 30.0
MOST_BETWEEN_S: Final = 300.0


class PendingActors:
    """Logs each pending actor after TOLD_S, then at doubling intervals up to MOST_BETWEEN_S.

    `notes` are the current messages, for the live view; `reported` the last message per actor that waited LONG_S, for
    the summary.
    """

    def __init__(
        self, cpus: float, room: Callable[[], ClusterCapacity], placed: Callable[[str], bool], log: Logger
    ) -> None:
        self.notes: list[str] = []
        self.reported: dict[str, str] = {}
        self._cpus = cpus
        self._room = room
        self._placed = placed
        self._log = log
        self._due_s: dict[str, float] = {}

    def look(self, since_s: Mapping[str, float], now_s: float) -> None:
        """Update the notes. `since_s` has the pending actors and the start of each wait; all times are monotonic."""
        self._due_s = {name: due_s for name, due_s in self._due_s.items() if name in since_s}
        late = {name: now_s - since for name, since in since_s.items() if now_s - since >= TOLD_S}
        if not late:
            self.notes = []
            return
        self.notes = [
            f"{name} waits {waited_s:.0f} s for {self._missing(name)}" for name, waited_s in sorted(late.items())
        ]
        for name, note in zip(sorted(late), self.notes, strict=True):
            if late[name] >= LONG_S:
                self.reported[name] = note
            if late[name] >= self._due_s.get(name, 0.0):
                self._due_s[name] = late[name] + min(late[name], MOST_BETWEEN_S)
                self._log.warning("%s", note)

    def _missing(self, name: str) -> str:
        room = self._room()
        if self._placed(name) or room.free >= self._cpus:
            return "its process to start"
        cpus = f"{self._cpus:g} free CPU" + ("" if self._cpus == 1 else "s")
        nodes = "1 node" if room.nodes == 1 else f"{room.nodes} nodes"
        return f"{cpus}: of the {room.cpus:g} on {nodes}, {room.free:g} are free"
