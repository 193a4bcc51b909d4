"""What a desk needs of the market's past: questions, and their answers.

Tests: tests/desk/history/test_history_server.py
"""

import msgspec

from desk.model.bars import Bar
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe

PastBars = dict[Timeframe, list[Bar]]
"""Bars by timeframe, oldest first."""
PastCounts = dict[Timeframe, int]
"""Numbers of bars by timeframe."""


class DeclaredHistory(msgspec.Struct, array_like=True, frozen=True):
    """The bars of before the exchange day that a strategy declares, by timeframe; `symbols` None: for every symbol."""

    bars: PastCounts
    symbols: frozenset[str] | None = None


class HistoryNeeds(msgspec.Struct, array_like=True, frozen=True):
    """What the symbols of a session need of the past.

    `day` is the exchange day (ISO date), which starts at `day_start_ns`. `minutes_from_ns` is where the minutes of the
    exchange day itself begin, for symbols that are subscribed later; 0: they are not needed.
    """

    day: str = ""
    day_start_ns: int = 0
    minutes_from_ns: int = 0
    declared: list[DeclaredHistory] = []

    def __bool__(self) -> bool:
        return bool(self.declared or self.minutes_from_ns)

    def of(self, symbol: str) -> PastCounts:
        """The number of bars that the symbol needs, by timeframe: the most that any strategy declares."""
        counts: PastCounts = {}
        for each in self.declared:
            if each.symbols is None or symbol in each.symbols:
                for timeframe, count in each.bars.items():
                    counts[timeframe] = max(count, counts.get(timeframe, 0))
        return counts


class TradesQuestion(msgspec.Struct, array_like=True, frozen=True, tag="trades"):
    """All trades of these symbols with venue times from `from_ns` to `to_ns`, which are whole minutes.

    `witness` is a later trade that the desk has received: a history that has it has everything before it. None: the
    desk has received none.
    """

    number: int
    symbols: list[str]
    from_ns: int
    to_ns: int
    witness: Trade | None = None


class TradesPart(msgspec.Struct, array_like=True, frozen=True):
    """The trades of one symbol in some whole minutes, encoded as in `Backfill`."""

    symbol: str
    from_ns: int
    to_ns: int
    trades: bytes


class TradesAnswer(msgspec.Struct, array_like=True, frozen=True, tag="trades"):
    """The answer to the question `number`: parts that cover all symbols and minutes, or why there are none."""

    number: int
    parts: list[TradesPart] = []
    why: str = ""


class BarsQuestion(msgspec.Struct, array_like=True, frozen=True, tag="bars"):
    """The last bars of before the exchange day `day` (ISO date, from `day_start_ns` on), by timeframe and count.

    Also the day's own minutes from `minutes_from_ns` to `minutes_to_ns` (venue time), if that is later.
    """

    number: int
    symbols: list[str]
    day: str
    day_start_ns: int
    counts: PastCounts
    minutes_from_ns: int = 0
    minutes_to_ns: int = 0

    @property
    def wants_minutes(self) -> bool:
        """Whether minutes of the exchange day are wanted."""
        return self.minutes_from_ns < self.minutes_to_ns


class BarsAnswer(msgspec.Struct, array_like=True, frozen=True, tag="bars"):
    """The answer to the question `number`: bars by symbol, with what is missing by symbol; or why there are none."""

    number: int
    bars: dict[str, PastBars] = {}
    problems: dict[str, str] = {}
    why: str = ""


Question = TradesQuestion | BarsQuestion
Answer = TradesAnswer | BarsAnswer

_encoder = msgspec.msgpack.Encoder()
encode_question = _encoder.encode
encode_answer = _encoder.encode
decode_question = msgspec.msgpack.Decoder(Question).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
