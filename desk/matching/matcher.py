"""The matcher: one symbol's open orders against that symbol's ticks."""

from math import inf
from typing import Literal

import msgspec

from desk.bars.conditions import eligibility
from desk.matching.resting import Resting, rest
from desk.model.orders import OrderEvent, OrderStatus, Report
from desk.model.ticks import Quote, Trade


class Matcher(msgspec.Struct, array_like=True):
    """The open orders of ONE symbol, in order of opening. The struct is its whole state: it pickles and encodes.

    A tick's size (each side of a quote, or a trade) is shared by the orders in order of opening; every
    quote update shows its size anew. Only ticks with an ordinal above every tick seen before count, so no
    order fills on a tick from before its opening. Unusable: quotes that are crossed, locked or empty on a
    side, and trades whose conditions keep them from setting high and low, whose price nobody could have had.

    - market: fills on the quotes after its opening; on trades until the first usable quote came.
    - limit: fills on a quote at or through its limit, at the quote's price; on a trade strictly through
      it, at the limit.
    - stop, stop_limit: triggered by a trade at or through the stop; market or limit from the next tick.
    - ioc: what its first usable tick leaves is canceled, reason "ioc".

    `slippage_bps` worsens fills of market and stop orders; `fee_per_share` is in account currency.
    Reports bear the tick's time, but none before the order's opening.
    """

    slippage_bps: float = 0.0
    fee_per_share: float = 0.0
    ordinal: int = -1
    orders: list[Resting] = []

    @property
    def empty(self) -> bool:
        """Whether no order is open."""
        return not self.orders

    def open(self, event: OrderEvent, now_ns: int) -> None:
        """Open the order of an accepted event at session time `now_ns`; a second opening does nothing."""
        if self._find(event.client_order_id) is None:
            self.orders.append(rest(event, now_ns))

    def cancel(self, client_order_id: str, ts_ns: int) -> list[Report]:
        """Take back what is left of the order; nothing to report when it is not open (any more)."""
        order = self._find(client_order_id)
        if order is None:
            return []
        self.orders.remove(order)
        return [_end(order, "canceled", ts_ns, "")]

    def expire(self, ts_ns: int) -> list[Report]:
        """End day and ioc orders with the session; gtc orders stay."""
        ended = [order for order in self.orders if order.tif != "gtc"]
        self.orders = [order for order in self.orders if order.tif == "gtc"]
        return [_end(order, "expired", ts_ns, "session closed") for order in ended]

    def on_quote(self, quote: Quote) -> list[Report]:
        """What this quote did to the orders."""
        if not self._is_news(quote.ordinal) or not _is_usable_quote(quote):
            return []
        shown = {"buy": quote.ask_size, "sell": quote.bid_size}
        slippage = self.slippage_bps / 10_000.0
        reports: list[Report] = []
        for order in self.orders:
            if order.waiting:
                continue
            order.quoted = True
            price = order.offered_by_quote(quote, slippage)
            taken = min(order.remaining, shown[order.side]) if price is not None else 0.0
            shown[order.side] -= taken
            reports += self._settle(order, taken, price or 0.0, quote.ts_ns)
        self._sweep()
        return reports

    def on_trade(self, trade: Trade) -> list[Report]:
        """What this trade did to the orders; stops it triggers may fill from the next tick on."""
        if not self._is_news(trade.ordinal) or not _is_usable_trade(trade):
            return []
        left = trade.size
        slippage = self.slippage_bps / 10_000.0
        reports: list[Report] = []
        for order in self.orders:
            if order.waiting:
                order.watch(trade.price)
                continue
            price = order.offered_by_trade(trade, slippage)
            taken = min(order.remaining, left) if price is not None else 0.0
            left -= taken
            reports += self._settle(order, taken, price or 0.0, trade.ts_ns)
        self._sweep()
        return reports

    def _is_news(self, ordinal: int) -> bool:
        if ordinal <= self.ordinal:
            return False
        self.ordinal = ordinal
        return bool(self.orders)

    def _settle(self, order: Resting, taken: float, price: float, ts_ns: int) -> list[Report]:
        reports: list[Report] = []
        if taken > 0.0:
            reports.append(_fill(order, taken, price, taken * self.fee_per_share, ts_ns))
        if order.tif == "ioc" and order.remaining:
            order.canceled = True
            reports.append(_end(order, "canceled", ts_ns, "ioc"))
        return reports

    def _sweep(self) -> None:
        self.orders = [order for order in self.orders if order.remaining and not order.canceled]

    def _find(self, client_order_id: str) -> Resting | None:
        return next((order for order in self.orders if order.client_order_id == client_order_id), None)


def _fill(order: Resting, quantity: float, price: float, fee: float, ts_ns: int) -> Report:
    order.filled += quantity
    order.reports += 1
    status: OrderStatus = "partially_filled" if order.remaining else "filled"
    at_ns = max(ts_ns, order.opened_ns)
    return Report(order.client_order_id, order.symbol, order.reports, status, at_ns, quantity, price, fee)


def _end(order: Resting, status: Literal["canceled", "expired"], ts_ns: int, reason: str) -> Report:
    order.reports += 1
    at_ns = max(ts_ns, order.opened_ns)
    return Report(order.client_order_id, order.symbol, order.reports, status, at_ns, reason=reason)


def _is_usable_quote(quote: Quote) -> bool:
    return 0.0 < quote.bid < quote.ask < inf and quote.bid_size > 0.0 and quote.ask_size > 0.0


def _is_usable_trade(trade: Trade) -> bool:
    return 0.0 < trade.price < inf and trade.size > 0.0 and eligibility(trade.conditions).high_low
