"""Checkpoints: the state that the keeper stores, from which shards and producers recover."""

from typing import Final

import msgspec

from desk.model.bars import Bar
from desk.model.feed_position import FeedPosition
from desk.model.records import GapRecord


class LoggedTrades(msgspec.Struct, array_like=True, frozen=True):
    """Remembered and revised trades: their count and their encoding (`desk.bars.remembered_trades`)."""

    count: int = 0
    entries: bytes = b""


NO_TRADES: Final = LoggedTrades()


class Checkpoint(msgspec.Struct, array_like=True):
    """One shard's state after a mark, with the bars closed or revised since the checkpoint before.

    `number` rises within a shard, also across restarts: a restarted shard continues above the number it was restored
    from. `session_ns` is the last mark, `seq` the last batch applied in this epoch. `final`: the session is over,
    nothing follows. `trades` are those remembered or revised since the checkpoint before, by symbol; they were
    remembered until `trades_ns`, and those remembered before `trades_from_ns` are no longer needed. `source_epoch` is
    the incarnation of the producer that cut the batch `seq`. `last_move` is the highest number of a slot move that this
    shard took part in.

    The keeper stores the encoded fields unread: `bars` (see `pack_bars`), `trades`, the engine's `state`, and the
    shard's `totals`. The other fields are those that the keeper reads.
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
    """The producer's checkpoint at a mark.

    It is stored once every shard has a confirmed checkpoint at `mark_ns` or later, so that a producer that restarts
    there loses nothing. It is taken at the mark, before the scanners' answers take effect; `asked_ns` is the mark of
    the last question to the scanners, None if no answer is outstanding. `feed_lag_ns` is the mark's feed lag.
    `subscriptions`, `table`, `watch`, `repairs` and `history` are encoded by their owners. `gaps_apart` are open
    gaps of single symbols.
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
    repairs: bytes = b""
    history: bytes = b""
    gaps_apart: dict[str, tuple[int, str]] = {}

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
    """Encode bars; no bars give empty bytes."""
    return _encoder.encode(bars) if bars else b""


def unpack_bars(packed: bytes) -> list[Bar]:
    """Decode bars encoded by `pack_bars`."""
    return _bars_decoder.decode(packed) if packed else []


def pack_logged_trades(trades: dict[str, LoggedTrades]) -> bytes:
    """Encode trades by symbol; no trades give empty bytes."""
    return _encoder.encode(trades) if trades else b""


def unpack_logged_trades(packed: bytes) -> dict[str, LoggedTrades]:
    """Decode trades encoded by `pack_logged_trades`."""
    return _trades_decoder.decode(packed) if packed else {}
