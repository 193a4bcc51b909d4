"""Items: all changes of a shard. They enter through the shard's lane, in one order."""

import msgspec

from desk.model.bars import Bar
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.orders import OrderEvent
from desk.model.ticks import Cancel, Correction, Quote, Trade
from desk.model.timeframes import Timeframe


class Mark(msgspec.Struct, array_like=True, tag="s", gc=False):
    """A mark: one whole second of session time is complete. Marks are the only clock of a shard.

    `feed_lag_ns` is received - venue time of the last ticks, plus the time since the last proof of freshness of a live
    feed; `lane_age_ns` the time that the mark itself waited in the lane (0 if the feed waits for the lanes).
    `degraded`: either is above `max_data_latency_s`, or the feed is not up.
    """

    session_ns: int
    received_ns: int
    feed_lag_ns: int = 0
    lane_age_ns: int = 0
    degraded: bool = False


class Watch(msgspec.Struct, array_like=True, tag="w"):
    """The symbol is subscribed from `since_ns` on, wanted by these scanners and, if "" is among them, by the plan.

    Repeated when the set of scanners changes. With `warm`, `bars` are the session's earlier minutes, oldest first, from
    every row received before `since_ns`; the last may still be open. `remembered` are the trades behind them that may
    still be corrected, as `desk.bars.remembered_trades` encodes them. `first`: the source had no data of the symbol
    earlier in the session, so that all of its minutes are complete. `history_follows`: no strategy of the symbol is
    called before a `History` of it is applied, which the producer sends in any case, with or without bars.
    """

    symbol: str
    since_ns: int
    scanners: list[str] = []
    warm: bool = False
    bars: list[Bar] = []
    remembered: bytes = b""
    first: bool = False
    history_follows: bool = False


class History(msgspec.Struct, array_like=True, tag="p"):
    """Bars of the symbol from before its subscription, for its strategies. `at_ns` is the mark at which it is sent.

    `bars` are by timeframe, oldest first: those of the days before the exchange day, and under "1m" also the exchange
    day's own minutes. Of these only the minutes that ended before the subscription are used; bars of longer timeframes
    on the exchange day are made from the minutes. `minute_ns` is a bar's start, a day's its regular open.

    `warm`: everything that was to be there is. `problem`: why it is not, in one line.
    """

    symbol: str
    at_ns: int
    bars: dict[Timeframe, list[Bar]] = {}
    warm: bool = False
    problem: str = ""


class Unwatch(msgspec.Struct, array_like=True, tag="u", gc=False):
    """The symbol is not subscribed any more; its open minute stays partial."""

    symbol: str
    at_ns: int


class LostTrades(msgspec.Struct, array_like=True, tag="l"):
    """Trades of these (symbol, minute_ns) were dropped in the lane: the minutes are partial."""

    minutes: list[tuple[str, int]]


class QuotesLost(msgspec.Struct, array_like=True, tag="n", gc=False):
    """Quotes of the symbol are missing from here on: the producer asked the venue for no more, or dropped the newest.

    The quotes that the shard knows are out of date until the next one. `at_ns` is the producer's wall time; it rises
    within a symbol.
    """

    symbol: str
    at_ns: int


class Stop(msgspec.Struct, array_like=True, tag="x", gc=False):
    """The strategy is stopped for the symbol from outside, because it hung or diverged. `why` is one line."""

    strategy: str
    symbol: str
    why: str


class GapItem(msgspec.Struct, array_like=True, tag="g", gc=False):
    """A period of session time, `from_ns` to `to_ns`, with missing ticks: minutes in it are partial.

    `trades` and `quotes` count ticks received and lost for this shard (it died, and they could not be replayed); 0 if
    nothing was received. `symbols` None: all of the shard. `is_open`: the feed is down, or the venue refuses these
    symbols, and the gap extends beyond `to_ns`; it is repeated as it grows, and once without `is_open` when it ends.
    """

    from_ns: int
    to_ns: int
    why: str
    trades: int = 0
    quotes: int = 0
    symbols: list[str] | None = None
    is_open: bool = False


class Backfill(msgspec.Struct, array_like=True, tag="f", gc=False):
    """Every trade of the symbol in these whole minutes, `from_ns` to `to_ns` by venue time, from the venue's history.

    It repairs the minutes: trades that the desk missed enter them, without calls of strategies. `trades` are encoded
    (`encode_trades`), oldest first, with ordinals below those of all ticks. A trade received before `asked_ns` (wall
    time of the request) that is not among them shows that the history is not complete. `gap_ns` and `gap_to_ns`
    (session time) are the gap for which it was requested.
    """

    symbol: str
    from_ns: int
    to_ns: int
    trades: bytes
    asked_ns: int
    gap_ns: int
    gap_to_ns: int


class Release(msgspec.Struct, array_like=True, tag="r", gc=False):
    """The shard hands these slots over to shard `to`; its ack, and its checkpoints until `Settle`, carry their state.

    `move` rises with every move of a session.
    """

    move: int
    slots: list[int]
    to: int


class Adopt(msgspec.Struct, array_like=True, tag="a", gc=False):
    """The shard takes over what another released in `move`: its state, then the items held meanwhile.

    `items` are encoded (`encode_items`): ticks of the moved slots, and the marks that this shard has already applied.
    """

    move: int
    slots: list[int]
    state: bytes
    items: bytes


class Settle(msgspec.Struct, array_like=True, tag="m", gc=False):
    """The other shard's checkpoint contains the state released in `move`: this shard may discard it."""

    move: int


class Close(msgspec.Struct, array_like=True, tag="c", gc=False):
    """The end of the session: minutes are closed, day orders expire, no item follows."""

    session_ns: int


Item = (
    Trade
    | Quote
    | Correction
    | Cancel
    | TradingStatus
    | PriceBands
    | VenueBar
    | Mark
    | OrderEvent
    | Watch
    | History
    | Unwatch
    | LostTrades
    | QuotesLost
    | Stop
    | GapItem
    | Backfill
    | Release
    | Adopt
    | Settle
    | Close
)

_items = msgspec.msgpack.Decoder(list[Item])
encode_items = msgspec.msgpack.Encoder().encode
decode_items = _items.decode

_trades = msgspec.msgpack.Decoder(list[Trade])
encode_trades = encode_items
decode_trades = _trades.decode
