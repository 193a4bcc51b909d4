"""The figures of `desk tape info` about a tape."""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from desk.model.blocks import BAR, CANCEL, CORRECTION, KINDS, LULD, QUOTE, STATUS, TRADE, UNKNOWN
from desk.model.units import MS_NS, SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.schema import open_file, version_of


class TapeInfo(msgspec.Struct, frozen=True):
    """Figures of a tape; times are received times, ns since the epoch, UTC; lag is received - venue time.

    `version` is the first file's. `other` are rows of kinds that tapes do not have; `symbols` counts each symbol's
    rows, most first; `peak_ns` is the start of the busiest second, `peak_events` its rows; `notes` are the source's.
    """

    version: str
    files: int
    bytes: int
    rows: int
    trades: int
    quotes: int
    corrections: int
    cancels: int
    statuses: int
    bands: int
    bars: int
    other: int
    symbols: dict[str, int]
    start_ns: int
    end_ns: int
    peak_ns: int
    peak_events: int
    median_lag_ms: float
    max_lag_ms: float
    notes: list[str] = []


def tape_info(path: Path | str) -> TapeInfo:
    """Read a whole tape and count; needs 8 bytes of memory per row. Raises the errors of TapeSource."""
    source = TapeSource(path)
    kinds = np.zeros(KINDS, np.int64)
    symbols = np.zeros(len(source.symbols), np.int64)
    seconds: Counter[int] = Counter()
    lags = []
    for block in source.blocks():
        kinds += np.bincount(block.kind, minlength=KINDS)
        symbols += np.bincount(block.symbol, minlength=len(symbols))
        starts, events = np.unique(block.recv_ns // SECOND_NS, return_counts=True)
        for start, count in zip(starts.tolist(), events.tolist(), strict=True):
            seconds[start] += count
        lags.append((block.recv_ns - block.ts_ns)[(block.ts_ns > 0) & (block.kind != BAR)])
    lag_ns = np.concatenate(lags)
    peak, peak_events = seconds.most_common(1)[0]
    order = sorted(range(len(symbols)), key=lambda index: (-symbols[index], source.symbols[index]))
    return TapeInfo(
        version=(version_of(open_file(source.files[0])) or b"").decode(),
        files=len(source.files),
        bytes=sum(file.size_bytes for file in source.files),
        rows=source.rows,
        trades=int(kinds[TRADE]),
        quotes=int(kinds[QUOTE]),
        corrections=int(kinds[CORRECTION]),
        cancels=int(kinds[CANCEL]),
        statuses=int(kinds[STATUS]),
        bands=int(kinds[LULD]),
        bars=int(kinds[BAR]),
        other=int(kinds[UNKNOWN]),
        symbols={source.symbols[index]: int(symbols[index]) for index in order},
        start_ns=source.start_ns,
        end_ns=source.end_ns - 1,
        peak_ns=peak * SECOND_NS,
        peak_events=peak_events,
        median_lag_ms=float(np.median(lag_ns)) / MS_NS if len(lag_ns) else 0.0,
        max_lag_ms=float(lag_ns.max(initial=0)) / MS_NS,
        notes=source.notes,
    )
