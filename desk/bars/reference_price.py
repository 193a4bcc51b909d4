"""The reference price of a symbol: which prints and quotes may set it, and how the two combine.

Every part that needs the price of a symbol uses these rules: valuation, the risk gate, the simulated venue, strategies
(`ctx.price`) and, by the same rules over columns, the scanners' snapshot.

- An eligible print may set a minute's close by its sale conditions (`desk/bars/sale_conditions.py`) and has a size
  above 0 and a positive finite price.
- A usable quote has a positive finite price and a size above 0 on both sides, is not crossed (locked is fine), and
  its spread is at most MAX_SPREAD of its mid.
- The reference price is the price of the newest eligible print, held within the newest usable quote; without a print,
  the mid of that quote; without both there is none. Newest is by venue time, then by ordinal: a late report never
  replaces a newer print.
"""

from math import inf
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.bars.sale_conditions import eligibility
from desk.model.ticks import Quote, Trade

Floats = NDArray[np.float64]

MAX_SPREAD: Final = 0.10
"""Widest spread of a usable quote, as a share of its mid.

Source: FINRA Rule 11892(b)(1), "Clearly Erroneous Transactions in Exchange-Listed Securities" (the exchanges' own
rules are alike, as Nasdaq Equity 11, Rule 11890): in regular hours a price 10 % or more away from the reference price
may be broken, at prices up to $25; less is enough above. The two sides of a wider quote cannot both be valid prices.
"""

_HALF_SPREAD: Final = MAX_SPREAD / 2
"""The same limit as a share of bid + ask."""


def is_eligible_print(trade: Trade) -> bool:
    """Whether the trade may set a price."""
    return trade.size > 0.0 and 0.0 < trade.price < inf and eligibility(trade.conditions).open_close


def is_usable(quote: Quote) -> bool:
    """Whether the quote is usable by the rule above."""
    bid = quote.bid
    ask = quote.ask
    return (
        0.0 < bid <= ask < inf
        and ask - bid <= _HALF_SPREAD * (bid + ask)
        and quote.bid_size > 0.0
        and quote.ask_size > 0.0
    )


def newest_print(held: Trade | None, trade: Trade) -> Trade | None:
    """The newer of `held` (an eligible print, or None) and `trade`; an ineligible trade is ignored."""
    return trade if _is_newer(trade, held) and is_eligible_print(trade) else held


def mid(bid: float, ask: float) -> float:
    """The middle of a quote. It adds halves, so that no pair of finite prices overflows."""
    return bid / 2 + ask / 2


def usable_rows(bid: Floats, bid_size: Floats, ask: Floats, ask_size: Floats) -> NDArray[np.bool_]:
    """`is_usable` over columns."""
    ordered = (bid > 0.0) & (bid <= ask) & (ask < inf) & (bid_size > 0.0) & (ask_size > 0.0)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf in rows that are not ordered; the sum of huge prices
        narrow = ask - bid <= _HALF_SPREAD * (bid + ask)
    mask: NDArray[np.bool_] = ordered & narrow
    return mask


def reference_prices(printed: Floats, bid: Floats, ask: Floats) -> Floats:
    """`Pricing.price` over columns: per symbol the newest eligible print and usable quote; NaN means none."""
    quoted = ~np.isnan(bid)
    held = np.where(quoted, np.clip(printed, bid, ask), printed)
    prices: Floats = np.where(np.isnan(printed) & quoted, bid / 2 + ask / 2, held)
    return prices


class Pricing(msgspec.Struct, array_like=True, gc=False):
    """The price of one symbol from the ticks applied so far. The struct is its whole state.

    `last_print` is the newest eligible print, `usable` the newest usable quote; `newest_ns` and `newest_ordinal` name
    the newest quote of any kind. Quotes stamped before `quotes_from_ns` are ignored: they are older than one that was
    cleared. `unquoted_ns` is the `at_ns` of the last applied `QuotesLost`.
    """

    last_print: Trade | None = None
    usable: Quote | None = None
    newest_ns: int = -1
    newest_ordinal: int = -1
    quotes_from_ns: int = 0
    unquoted_ns: int = 0

    @property
    def price(self) -> float | None:
        """The reference price."""
        quote = self.usable
        if self.last_print is None:
            return None if quote is None else mid(quote.bid, quote.ask)
        price = self.last_print.price
        if quote is None:
            return price
        return min(max(price, quote.bid), quote.ask)

    @property
    def standing(self) -> Quote | None:
        """The standing quote: the newest one, if it is usable."""
        quote = self.usable
        return quote if quote is not None and quote.ordinal == self.newest_ordinal else None

    def on_trade(self, trade: Trade) -> None:
        """Apply a trade."""
        held = self.last_print
        if held is None or trade.ts_ns >= held.ts_ns:  # an older trade never replaces it
            self.last_print = newest_print(held, trade)

    def on_revised(self, old: Trade, new: Trade | None, newest: Trade | None) -> None:
        """Apply a correction (`new`) or cancel (None) of print `old`; `newest`: the newest eligible standing print."""
        if self.last_print is not None and self.last_print.ordinal == old.ordinal:
            self.last_print = newest
        elif new is not None:
            self.on_trade(new)

    def on_quote(self, quote: Quote) -> None:
        """Apply a quote."""
        ts_ns = quote.ts_ns
        newest_ns = self.newest_ns
        if ts_ns > newest_ns or (ts_ns == newest_ns and quote.ordinal > self.newest_ordinal):
            self.newest_ns = ts_ns
            self.newest_ordinal = quote.ordinal
            bid, ask = quote.bid, quote.ask
            # `is_usable`, inlined: this is the hot path of every quote.
            if (
                0.0 < bid <= ask < inf
                and quote.bid_size > 0.0
                and quote.ask_size > 0.0
                and ask - bid <= MAX_SPREAD * (bid / 2 + ask / 2)
            ):
                self.usable = quote
        elif ts_ns >= self.quotes_from_ns and _is_newer(quote, self.usable) and is_usable(quote):
            self.usable = quote

    def clear_quotes(self) -> None:
        """Discard the quotes: newer ones are missing, so the known ones are out of date."""
        self.usable = None
        self.quotes_from_ns = self.newest_ns

    def unquote(self, at_ns: int) -> None:
        """Discard the quotes because the producer stopped or dropped some. A repeat of `at_ns` changes nothing."""
        if at_ns > self.unquoted_ns:
            self.unquoted_ns = at_ns
            self.clear_quotes()


def _is_newer(tick: Trade | Quote, held: Trade | Quote | None) -> bool:
    return held is None or tick.ts_ns > held.ts_ns or (tick.ts_ns == held.ts_ns and tick.ordinal > held.ordinal)
