"""Corporate actions that change prices: splits and cash dividends.

Tests: tests/desk/venues/alpaca/test_alpaca_history.py
"""

from datetime import date

import msgspec


class CorporateAction(msgspec.Struct, frozen=True, gc=False):
    """One action on `symbol`, effective from the open of `effective` (the ex-date) on.

    A split gives `new_shares` for `old_shares`; a dividend pays `cash` per share. Symbol changes have `new_symbol`.
    """

    symbol: str
    effective: date
    old_shares: float = 1.0
    new_shares: float = 1.0
    cash: float = 0.0
    new_symbol: str = ""
