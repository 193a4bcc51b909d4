"""The configuration of a producer's lanes."""

from typing import Final

import msgspec

from desk.model.batch import MAX_BATCH_BYTES

RETAIN_BYTES: Final = 64 * 1024 * 1024


class LaneConfig(msgspec.Struct, frozen=True):
    """The configuration of every lane of one producer; see `[flow]` and `[guards]` in the tradeplan.

    A lane of a `lossless` feed does not overflow: its producer waits for `room`. `retain_bytes` limits the size of the
    batches that are cut and not durable yet. The fraction `trace_sample` of the batches is traced, with ids made of
    `trace_salt`, which no other run has.
    """

    source: str
    epoch: int
    capacity: int
    window_batches: int
    linger_ns: int
    write_timeout_ns: int
    lag_threshold: int
    max_data_latency_ns: int
    lossless: bool
    max_batch_bytes: int = MAX_BATCH_BYTES
    retain_bytes: int = RETAIN_BYTES
    trace_sample: float = 0.0
    trace_salt: str = ""
