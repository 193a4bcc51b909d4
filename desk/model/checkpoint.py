"""Checkpoints: what a shard leaves with the keeper, so that a successor goes on where it stood."""

from typing import Final

import msgspec

from desk.model.bars import Bar
from desk.model.feed_position import FeedPosition
from desk.model.records import GapRecord


class LoggedTrades(msgspec.Struct, array_like=True, frozen=True):
    """Trades that were remembered or revised: how many, and their bytes (`desk.bars.remembered_trades`)."""

    count: int = 0
    entries: bytes = b""


NO_TRADES: Final = LoggedTrades()


class Checkpoint(msgspec.Struct, array_like=True):
    """One shard's state after a mark, with the bars closed or revised since the checkpoint before.

    `number` rises within a shard, through its incarnations too: a successor goes on above the number it was
    restored from. `session_ns` is the last mark, `seq` the last batch applied in this epoch. `final`: the session is
    over, nothing follows. `trades` are those remembered or revised since the checkpoint before, by symbol; they were
    remembered until `trades_ns`, and what was remembered before `trades_from_ns` is not needed any more.
    `source_epoch` is the incarnation of the producer that cut the batch `seq`. `last_move` is the
    highest number of a slot move that this shard has done its part of.

    The keeper stores what is encoded as it is: `bars` (see `pack_bars`), `trades`, the engine's `state`,
    and the shard's `totals`. What it needs to know of them stands beside them.
    """

    shard: int
    epoch: int
    number: int
    session_ns: int
    seq: int
    bars: bytes
    state: bytes
    final: bool = False
    source_epoch: int = 0
    totals: bytes = b""
    last_move: int = 0
    trades: bytes = b""
    trades_from_ns: int = 0
    trades_ns: int = 0


class ProducerState(msgspec.Struct, array_like=True):
    """What a producer leaves with the keeper, so that a successor goes on from its mark.

    It is kept once every shard has a confirmed checkpoint at `mark_ns` or later: a successor that begins there
    misses nothing. It was taken at the mark, before the scanners' answers took effect; `asked_ns` is the mark at
    which they were asked last, None if no answer is outstanding. `feed_lag_ns` is the lag that the mark told.
    `subscriptions`, `table` and `watch` are what their owners encoded.
    """

    epoch: int
    feed: FeedPosition
    asked_ns: int | None
    subscriptions: bytes
    table: bytes
    moves: int = 0
    gaps: list[GapRecord] = []
    feed_lag_ns: int = 0
    watch: bytes = b""

    @property
    def mark_ns(self) -> int:
        """The mark at which this was taken."""
        return self.feed.mark_ns


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)

_producer_decoder = msgspec.msgpack.Decoder(ProducerState)
_bars_decoder = msgspec.msgpack.Decoder(list[Bar])
_trades_decoder = msgspec.msgpack.Decoder(dict[str, LoggedTrades])

encode_checkpoint = _encoder.encode
decode_checkpoint = _decoder.decode
encode_producer = _encoder.encode
decode_producer = _producer_decoder.decode


def pack_bars(bars: list[Bar]) -> bytes:
    """Bars, encoded; of none nothing."""
    return _encoder.encode(bars) if bars else b""


def unpack_bars(packed: bytes) -> list[Bar]:
    """Bars as `pack_bars` encoded them."""
    return _bars_decoder.decode(packed) if packed else []


def pack_logged_trades(trades: dict[str, LoggedTrades]) -> bytes:
    """Trades by symbol, encoded; of none nothing."""
    return _encoder.encode(trades) if trades else b""


def unpack_logged_trades(packed: bytes) -> dict[str, LoggedTrades]:
    """Trades as `pack_logged_trades` encoded them."""
    return _trades_decoder.decode(packed) if packed else {}
