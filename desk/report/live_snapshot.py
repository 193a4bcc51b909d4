"""A running desk at one moment, with its metrics: in `live.msgpack` of the run folder, and at the keeper.

Tests: tests/desk/report/test_live_snapshot.py
"""

from typing import Final

import msgspec

from desk.report.desk_view import DeskView
from desk.telemetry.readings import Readings

FORMAT: Final = 1


class ProcessRow(msgspec.Struct, array_like=True):
    """One process of the desk. `node` is the id of its node in the cluster, "" in one process."""

    actor: str
    pid: int
    node: str = ""


class LiveSnapshot(msgspec.Struct, kw_only=True):
    """The desk at `wall_ns`; `host` is the name of the driver's machine, `node` the driver's node in the cluster.

    `readings` are those of each actor's last answer to a poll, and the driver's own.
    """

    format: int = FORMAT
    run_id: str
    plan: str
    wall_ns: int
    host: str = ""
    node: str = ""
    view: DeskView = msgspec.field(default_factory=DeskView)
    readings: dict[str, Readings] = {}
    warnings: list[str] = []
    processes: list[ProcessRow] = []

    @property
    def state(self) -> str:
        """What the desk does."""
        return self.view.state

    @property
    def problems(self) -> list[str]:
        """The current faults."""
        return self.view.alerts


class _Format(msgspec.Struct):
    format: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LiveSnapshot).decode
_decode_format = msgspec.msgpack.Decoder(_Format).decode


def encode_snapshot(snapshot: LiveSnapshot) -> bytes:
    """The snapshot as bytes."""
    return _encode(snapshot)


def decode_snapshot(content: bytes) -> LiveSnapshot:
    """The snapshot from bytes. Raises ValueError for another format, or for what is no snapshot."""
    found = _decode_format(content).format
    if found != FORMAT:
        raise ValueError(f"format {found}, expected {FORMAT}")
    return _decode(content)
