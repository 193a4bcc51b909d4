"""Adjusts bars of the past for splits and dividends, so that they compare with prices of a later day.

Source: "Data Definitions: Factor to Adjust Prices" (CRSP): prices before the ex-date are multiplied by old / new shares
of a split, and by 1 - cash / last close before it of a cash dividend; volumes are divided by the factor of the split.

Tests: tests/desk/history/test_session_history.py
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

import msgspec

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction


def adjusted(
    bars: Sequence[Bar], actions: Iterable[CorporateAction], day: date, date_of: Callable[[Bar], date]
) -> list[Bar]:
    """The bars of one symbol, oldest first, adjusted for its actions that are effective by `day`.

    `date_of` returns the exchange day of a bar.
    """
    found = list(bars)
    for action in sorted(actions, key=lambda action: action.effective):
        before = sum(date_of(bar) < action.effective for bar in bars)
        if action.effective > day or not before:
            continue
        shares = action.new_shares / action.old_shares
        price = 1.0 / shares
        if action.cash:
            price *= max(1.0 - action.cash / bars[before - 1].close, 0.0)
        if price > 0.0 and (price, shares) != (1.0, 1.0):
            found[:before] = [_scaled(bar, price, shares) for bar in found[:before]]
    return found


def _scaled(bar: Bar, price: float, shares: float) -> Bar:
    return msgspec.structs.replace(
        bar,
        open=bar.open * price,
        high=bar.high * price,
        low=bar.low * price,
        close=bar.close * price,
        volume=bar.volume * shares,
        notional=bar.notional * price * shares,
    )
