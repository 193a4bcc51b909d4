"""A load with varying rate and changing symbols: the standard load on a warped time axis.

    python -m benchmarks.varying --stretch RATE:SECONDS ... [--symbols N] [--rotate-s S] [--recorded] --port-file FILE

The local venue serves it with current times. With --recorded it keeps its own times, equal in every run, for a desk
that follows the venue's clock. After the last stretch the venue stays up and sends nothing.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.load import SEED, SYMBOLS
from console.commands.venue import run_venue
from console.commands.venue_options import AccessOptions, PaceOptions, RestOptions, SourceOptions
from desk.local_venue.events import taken
from desk.local_venue.standard_load import START_NS, StandardLoad
from desk.model.blocks import Block, BlockSource
from desk.model.units import SECOND_NS

ROTATED_SHARE: Final = 0.1
"""The share of the symbols in play that each rotation replaces."""


@dataclass(frozen=True)
class Stretch:
    """A constant rate for a number of seconds."""

    rate_per_s: float
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Stretch":
        """Parse RATE:SECONDS. Raises ValueError."""
        rate, _, seconds = text.partition(":")
        return cls(float(rate), float(seconds))

    def __str__(self) -> str:
        return f"{self.rate_per_s:g}:{self.seconds:g}"


def varying(
    stretches: Sequence[Stretch],
    *,
    mix: str = "trades",
    symbols: int = SYMBOLS,
    rotate_s: float = 0,
    recorded: bool = False,
) -> list[str]:
    """The command of a venue that plays these stretches in order."""
    stretch_flags = [part for stretch in stretches for part in ("--stretch", str(stretch))]
    more_flags = ["--recorded"] if recorded else []
    return [
        "benchmarks.varying",
        *stretch_flags,
        "--mix",
        mix,
        "--symbols",
        str(symbols),
        "--rotate-s",
        str(rotate_s),
        *more_flags,
    ]


class VaryingLoad:
    """A `BlockSource` of Poisson arrivals at the rate of the current stretch.

    Arrivals at unit rate are mapped to times by the inverse of the cumulative rate (time change of a Poisson process).
    Of `symbols`, `playing` are in play, with Zipf rates; every `rotate_s` a tenth of those is replaced.
    """

    def __init__(
        self, stretches: Sequence[Stretch], *, symbols: int, playing: int, rotate_s: float, quotes: bool, seed: int
    ) -> None:
        ends_s = np.cumsum([0.0, *(stretch.seconds for stretch in stretches)])
        counts = np.cumsum([0.0, *(stretch.rate_per_s * stretch.seconds for stretch in stretches)])
        self.place = "varying load, " + " ".join(map(str, stretches))
        self.symbols = tuple(f"LD{number:04d}" for number in range(symbols))
        self.start_ns = START_NS
        self.end_ns = START_NS + int(ends_s[-1] * SECOND_NS)
        self._ends_ns = ends_s * SECOND_NS
        self._counts = counts
        self._rotate_ns = rotate_s * SECOND_NS
        self._step = max(int(playing * ROTATED_SHARE), 1)
        events = int(counts[-1] + 10 * counts[-1] ** 0.5 + 10)
        self._unit = StandardLoad(seed, playing, 1.0, events, quotes)

    def blocks(self) -> Iterator[Block]:
        """Yield the load; every call yields the same rows."""
        for block in self._unit.blocks():
            counted = (block.recv_ns - START_NS) / SECOND_NS
            inside = counted < self._counts[-1]
            if not inside.any():
                return
            since_ns = np.interp(counted, self._counts, self._ends_ns).astype(np.int64)
            warped = replace(
                block,
                recv_ns=START_NS + since_ns,
                ts_ns=START_NS + since_ns,
                symbol=self._rotated(block.symbol, since_ns),
                symbols=self.symbols,
            )
            yield warped if inside.all() else taken(warped, np.flatnonzero(inside))

    def _rotated(self, symbol: NDArray[np.int32], since_ns: NDArray[np.int64]) -> NDArray[np.int32]:
        if not self._rotate_ns:
            return symbol
        turns = since_ns // self._rotate_ns
        return ((symbol + turns * self._step) % len(self.symbols)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class VaryingOptions(SourceOptions):
    """The source options of `desk venue`, for a varying load."""

    stretches: tuple[Stretch, ...] = ()
    rotate_s: float = 0.0

    def source(self) -> BlockSource:
        """The varying load; with rotation, a third of the symbols is in play."""
        playing = self.symbols // 3 if self.rotate_s else self.symbols
        return VaryingLoad(
            self.stretches,
            symbols=self.symbols,
            playing=max(playing, 1),
            rotate_s=self.rotate_s,
            quotes=self.mix != "trades",
            seed=self.seed,
        )


def main() -> None:
    """Serve the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stretch", type=Stretch.parse, action="append", required=True)
    parser.add_argument("--mix", default="trades")
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--rotate-s", type=float, default=0.0)
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    source = VaryingOptions(
        tape=None,
        standard=False,
        symbols=options.symbols,
        events_per_s=1.0,
        minutes=0,
        seed=SEED,
        mix=options.mix,
        limit=None,
        stretches=tuple(options.stretch),
        rotate_s=options.rotate_s,
    )
    pace = PaceOptions(
        speed="1",
        rate=None,
        frame_ms=1.0,
        single=False,
        restamp=not options.recorded,
        loop=False,
        wait_clients=1,
        seconds=None,
    )
    access = AccessOptions(
        port=options.port,
        port_file=options.port_file,
        key=None,
        secret=None,
        symbol_limit=None,
        connection_limit=1,
        buffer_mb=64.0,
        compress=False,
    )
    run_venue(source, pace, access, RestOptions(), Console(width=160))


if __name__ == "__main__":
    main()
