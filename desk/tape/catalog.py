"""The catalog of `desk data`: minute bars and trades by source, day and symbol, as Parquet files.

`{folder}/{source}/{kind}/{day}/{symbol}.parquet`: `source` names vendor and feed ("alpaca-iex"), `kind` is "bars" or
"trades", `day` is the exchange day. A file with no rows says that the vendor had nothing. A file of trades is a tape.

Tests: tests/desk/wiring/test_data_download.py
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from desk.files.atomic import replacing
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.errors import TapeError
from desk.model.ticks import Trade
from desk.tape.writer import TapeWriter

Kind = Literal["bars", "trades"]
KINDS: Final[tuple[Kind, ...]] = ("bars", "trades")
ACTIONS: Final = "actions.json"
VERSION: Final = {b"raydesk.bars.version": b"1"}
BARS: Final = pa.schema(
    [
        ("minute_ns", pa.int64()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("trades", pa.int64()),
    ],
    metadata=VERSION,
)


class CatalogFile(msgspec.Struct, frozen=True, order=True):
    """One file of the catalog."""

    source: str
    kind: str
    day: date
    symbol: str
    rows: int = 0


class Catalog:
    """The files below a folder. Reading raises TapeError for a damaged file, writing RunFailed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, source: str, kind: Kind, day: date, symbol: str) -> Path:
        """The place of a file, whether it exists or not."""
        return self.folder / source / kind / day.isoformat() / f"{quote(symbol, safe='')}.parquet"

    def has(self, source: str, kind: Kind, day: date, symbol: str) -> bool:
        """Whether the file exists."""
        return self.path(source, kind, day, symbol).exists()

    def files(self) -> Iterator[CatalogFile]:
        """All files, sorted. Reads the number of rows of each."""
        for path in sorted(self.folder.glob("*/*/*/*.parquet")):
            source, kind, day, name = path.relative_to(self.folder).parts
            try:
                rows = pq.ParquetFile(path).metadata.num_rows
                yield CatalogFile(source, kind, date.fromisoformat(day), unquote(name.removesuffix(".parquet")), rows)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _damaged(path, error) from error

    def write_bars(self, source: str, day: date, symbol: str, bars: Sequence[Bar]) -> None:
        """Write the minutes of a symbol's day, oldest first."""
        columns = [[getattr(bar, name) for bar in bars] for name in BARS.names]
        table = pa.table(
            [pa.array(column, field.type) for column, field in zip(columns, BARS, strict=True)], schema=BARS
        )
        path = self._made(source, "bars", day, symbol)
        with replacing(path) as beside:
            pq.write_table(table, beside, compression="zstd")

    def write_trades(self, source: str, day: date, symbol: str, pages: Iterable[Sequence[Trade]]) -> int:
        """Write the trades of a symbol's day as a tape, and return their number. They were received at venue time."""
        with TapeWriter(self._made(source, "trades", day, symbol)) as writer:
            for page in pages:
                writer.write_ticks([msgspec.structs.replace(trade, received_ns=trade.ts_ns) for trade in page])
        return writer.rows

    def bars(self, source: str, day: date, symbol: str) -> list[Bar]:
        """The minutes of a symbol's day; an empty list without a file. They are flagged repaired."""
        path = self.path(source, "bars", day, symbol)
        if not path.exists():
            return []
        return [_bar(symbol, row) for row in _read(path).to_pylist()]

    def write_actions(self, source: str, actions: Iterable[CorporateAction]) -> None:
        """Add corporate actions to the source's."""
        path = self.folder / source / ACTIONS
        known = {*self.actions(source), *actions}
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_bytes(msgspec.json.encode(sorted(known, key=lambda one: (one.effective, one.symbol))))

    def actions(self, source: str) -> list[CorporateAction]:
        """All corporate actions of the source. Raises TapeError."""
        path = self.folder / source / ACTIONS
        if not path.exists():
            return []
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[CorporateAction])
        except (OSError, msgspec.MsgspecError) as error:
            raise _damaged(path, error) from error

    def _made(self, source: str, kind: Kind, day: date, symbol: str) -> Path:
        path = self.path(source, kind, day, symbol)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _read(path: Path) -> Any:
    try:
        return pq.read_table(path, columns=BARS.names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _bar(symbol: str, row: dict[str, Any]) -> Bar:
    at_ns = row["minute_ns"]
    notional = row["vwap"] * row["volume"] if row["volume"] else 0.0
    prices = (row["open"], row["high"], row["low"], row["close"], row["volume"], notional, row["trades"])
    return Bar(symbol, at_ns, *prices, open_ns=at_ns, close_ns=at_ns, flags="repaired")


def _damaged(path: Path, error: Exception) -> TapeError:
    found = str(error).split("\n", maxsplit=1)[0]
    return TapeError(
        str(path), f"cannot be read ({found})", "a file that `desk data get` wrote", "Delete it, and get it again."
    )
