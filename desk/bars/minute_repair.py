"""A minute from a venue's history that has every trade of it: those that the desk received, and those that it missed.

Theory. The bar of the minute is the fold of the history in its order, so nothing depends on which of its trades the
desk received, or still remembers. A remembered trade counts as it stands, corrected or cancelled. A trade that the desk
received before the history was requested must be in it: else the history is not complete, or is that of another feed,
and the minute stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from desk.bars.folding import count_in
from desk.bars.trade_identity import identity
from desk.model.bars import WorkingBar
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS


class KnownTrade(NamedTuple):
    """A remembered trade: when it was received, and as it stands (None: cancelled)."""

    received_ns: int
    now: Trade | None


class RepairLimits(NamedTuple):
    """Minutes before `closed_to_ns` are closed; those before `revisable_from_ns` take no late trades any more.

    The desk missed ticks from `missed_from_ns` to `missed_to_ns` (venue time).
    """

    closed_to_ns: int
    revisable_from_ns: int
    missed_from_ns: int
    missed_to_ns: int

    def is_final(self, minute_ns: int) -> bool:
        """Whether a minute that is not known any more was complete, and is final."""
        missed = self.missed_from_ns < minute_ns + MINUTE_NS and minute_ns < self.missed_to_ns
        return minute_ns < self.revisable_from_ns and not missed


@dataclass
class RepairOutcome:
    """A repair of several minutes: trades that were added, minutes that were refused, and minutes that it opened."""

    added: int = 0
    refused: int = 0
    opened: list[int] = field(default_factory=list)


class CompleteMinute(NamedTuple):
    """A minute with all of its trades.

    `trades` counts those that stand, also the ones that count for nothing. `base` is the fold of the trades that the
    desk does not remember, `unknown` are their identities.
    """

    bar: WorkingBar
    trades: int
    base: WorkingBar
    unknown: list[int]


def complete_minute(
    minute_ns: int,
    history: Sequence[Trade],
    known: Mapping[int, KnownTrade],
    aliases: Mapping[int, int],
    asked_ns: int,
) -> CompleteMinute | None:
    """The minute from its history, oldest first, and the remembered trades of it, by identity.

    `aliases` are other identities of the remembered trades. None if the history has no identities, or lacks a trade
    that was received before `asked_ns`.
    """
    bar, base = WorkingBar("", minute_ns), WorkingBar("", minute_ns)
    found: set[int] = set()
    unknown: dict[int, None] = {}
    trades = 0
    for trade in history:
        if not trade.trade_id:
            return None
        key = identity(trade.trade_id, trade.exchange, trade.tape)
        key = aliases.get(key, key)
        if key in found or key in unknown:
            continue
        if key not in known:
            unknown[key] = None
            count_in(base, trade)
            now: Trade | None = trade
        else:
            found.add(key)
            now = known[key].now
        if now is not None:
            trades += 1
            count_in(bar, msgspec.structs.replace(now, ordinal=trade.ordinal))
    for key, one in known.items():
        if key in found or one.now is None:
            continue
        if one.received_ns < asked_ns:
            return None
        trades += 1
        count_in(bar, one.now)
    return CompleteMinute(bar, trades, base, list(unknown))
