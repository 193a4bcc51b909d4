import msgspec
import pytest
from test_viewer import a_view, latencies

from desk.report.live_snapshot import FORMAT, LiveSnapshot, ProcessRow, decode_snapshot, encode_snapshot
from desk.report.viewer import DeskViewer
from desk.telemetry.readings import Readings


def test_a_snapshot_comes_back_as_it_was() -> None:
    readings = Readings("producer", 7, "node", 1, 2)
    readings.count("wait.time", 1.5, kind="lock", taken="probe")
    readings.record("batch.age", latencies(1.0, 2.0), hop="lane")
    view = a_view(DeskViewer(0), 10, 1_000)
    snapshot = LiveSnapshot(
        run_id="r",
        plan="p",
        wall_ns=5,
        view=view,
        readings={"producer": readings},
        processes=[ProcessRow("producer", 7)],
    )

    found = decode_snapshot(encode_snapshot(snapshot))

    assert found == snapshot
    assert (found.state, found.problems) == ("running", [])


@pytest.mark.parametrize("content", [b"", b"\xc1", b"text", msgspec.msgpack.encode({"format": FORMAT})])
def test_what_is_no_snapshot_is_rejected(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_snapshot(content)


def test_another_format_is_named() -> None:
    with pytest.raises(ValueError, match="format 99, expected 1"):
        decode_snapshot(msgspec.msgpack.encode({"format": 99, "readings": "other"}))
