"""The history that a run has used, in its folder: a resume and a replay of the run see the same.

Tests: tests/desk/history/test_session_history.py
"""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from desk.files.atomic import replacing, unwritable
from desk.files.private import make_private_folder, read_regular, write_private
from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.model.history import PastBars, PastCounts

PATTERN: Final = "????????.msgpack"


class KeptBars(msgspec.Struct, array_like=True, frozen=True):
    """The bars of before the exchange day that a symbol got, the counts that it asked for, and what was missing."""

    counts: PastCounts
    bars: PastBars
    problem: str = ""


class KeptMinutes(msgspec.Struct, array_like=True, frozen=True):
    """The minutes of the exchange day that a symbol got."""

    from_ns: int
    to_ns: int
    bars: list[Bar]


class KeptPart(msgspec.Struct, array_like=True):
    """The content of one file, by symbol."""

    past: dict[str, KeptBars] = {}
    minutes: dict[str, KeptMinutes] = {}


class _Found(NamedTuple):
    past: dict[str, KeptBars]
    minutes: dict[str, list[KeptMinutes]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptPart).decode


class KeptHistory:
    """Files of a folder, numbered in the order of writing. Each is whole or absent.

    Raises RunFailed for a damaged file, or one that cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found = _Found({}, {})
        self._files = 0
        for path in sorted(folder.glob(PATTERN)) if folder.is_dir() else ():
            self._take(_read(path))
            self._files = int(path.stem)

    def __bool__(self) -> bool:
        return self._files > 0

    def past(self, symbol: str, counts: PastCounts) -> KeptBars | None:
        """What the symbol got for these counts; None if it has not asked for as many."""
        kept = self._found.past.get(symbol)
        if kept is None or any(kept.counts.get(timeframe, 0) < count for timeframe, count in counts.items()):
            return None
        bars = {timeframe: kept.bars.get(timeframe, [])[-count:] for timeframe, count in counts.items()}
        return KeptBars(counts, bars, kept.problem)

    def minutes(self, symbol: str, to_ns: int) -> KeptMinutes | None:
        """The last minutes that the symbol got up to this time."""
        found = [kept for kept in self._found.minutes.get(symbol, ()) if kept.to_ns <= to_ns]
        return max(found, key=lambda kept: kept.to_ns, default=None)

    def put(self, part: KeptPart) -> None:
        """Write what symbols got."""
        self._take(part)
        self._files += 1
        path = self._folder / f"{self._files:08}.msgpack"
        try:
            make_private_folder(self._folder, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        with replacing(path) as beside:
            write_private(beside, _encode(part))

    def _take(self, part: KeptPart) -> None:
        self._found.past.update(part.past)
        for symbol, minutes in part.minutes.items():
            self._found.minutes.setdefault(symbol, []).append(minutes)


def _read(path: Path) -> KeptPart:
    try:
        return _decode(read_regular(path))
    except (OSError, msgspec.MsgspecError) as error:
        raise RunFailed(
            str(path), f"it cannot be read: {error}", "a file of this run", "Run again in a new run folder."
        ) from error
