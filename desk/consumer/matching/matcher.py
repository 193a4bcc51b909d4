"""The matcher: one symbol's open orders against that symbol's market."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from desk.bars.reference_price import Pricing, is_eligible_print, is_usable
from desk.consumer.matching.resting_order import RestingOrder, open_resting_order
from desk.consumer.matching.rules import MatchingRules
from desk.consumer.matching.trading_state import UNRESTRICTED, PriceLimits, TradingState
from desk.model.orders import OrderEvent, OrderStatus, Report, Side
from desk.model.ticks import Quote, Trade
from desk.trading.order_life import DUST

HALTED: Final = "ioc: trading is halted"


class Matcher(msgspec.Struct, array_like=True):
    """The orders of ONE symbol. The struct is its whole state: it pickles and encodes.

    The rules are in docs/reference/simulated-venue.md. `orders` are open, in order of opening; those in `waiting` were
    accepted before their hours began. `bought` and `sold` are the shares that our orders took of the quote with the
    ordinal `quote_ordinal`: each quote update shows its sizes anew. Only ticks with an ordinal above every tick seen
    before count.

    Every call takes the symbol's pricing, to which the tick has already been applied, and its trading state. A report
    carries the time of its cause, or the order's opening if that is later.
    """

    rules: MatchingRules = MatchingRules()
    ordinal: int = -1
    orders: list[RestingOrder] = []
    waiting: list[RestingOrder] = []
    quote_ordinal: int = -1
    bought: float = 0.0
    sold: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether no order is open or waits for its hours."""
        return not self.orders and not self.waiting

    def is_idle(self, pricing: Pricing) -> bool:
        """Whether the matcher has no state: no order, and no shares taken of the standing quote."""
        quote = pricing.standing
        return self.empty and (quote is None or quote.ordinal != self.quote_ordinal or not (self.bought or self.sold))

    def open(
        self, event: OrderEvent, now_ns: int, pricing: Pricing, trading: TradingState = UNRESTRICTED
    ) -> list[Report]:
        """Open the order of an accepted event at session time `now_ns`, or queue it until its hours begin.

        A repeated call does nothing.
        """
        if self._find(event.client_order_id) is not None:
            return []
        order = open_resting_order(event, now_ns, self.rules)
        if order.opened_ns > now_ns:
            self.waiting.append(order)
            return []
        self.orders.append(order)
        reports = self._look(order, now_ns, pricing, trading)
        self._sweep()
        return reports

    def cancel(self, client_order_id: str, ts_ns: int) -> list[Report]:
        """Cancel the remainder of the order; no report if the order is not open."""
        order = self._find(client_order_id)
        if order is None:
            return []
        self._remove(order)
        return [_end(order, "canceled", ts_ns)]

    def on_mark(self, mark_ns: int, pricing: Pricing, trading: TradingState = UNRESTRICTED) -> list[Report]:
        """Expire day orders whose hours have ended, and open orders whose hours have begun."""
        reports = self._expire(
            mark_ns,
            lambda order: order.until_ns <= mark_ns,
            lambda order: f"day order: {'the end of extended hours' if order.extended_hours else 'the regular close'}",
        )
        for order in self._open_due(mark_ns):
            reports += self._look(order, mark_ns, pricing, trading)
        self._sweep()
        return reports

    def expire(self, ts_ns: int) -> list[Report]:
        """End day and ioc orders with the session; gtc orders stay."""
        return self._expire(ts_ns, lambda _: True, lambda _: "session closed")

    def on_status(self, at_ns: int, trading: TradingState) -> list[Report]:
        """Apply the begin or the end of a halt; return the reports of the orders.

        At its begin the ioc orders that wait for their first look are canceled. At its end every order is offered the
        market anew, as if it opened then.
        """
        if trading.halted:
            reports = [report for order in self._live(at_ns) for report in self._cancel_ioc(order, at_ns)]
            self._sweep()
            return reports
        for order in self.orders:
            order.quoted = order.rested = False
        return []

    def on_quote(self, quote: Quote, pricing: Pricing, trading: TradingState = UNRESTRICTED) -> list[Report]:
        """Apply a quote; return the reports of the orders."""
        if not self._is_news(quote.ordinal) or self.empty:
            return []
        at_ns = quote.ts_ns + self.rules.delay_ns
        fresh = self._open_due(at_ns)
        may_fill = trading.may_fill(quote.ts_ns)
        standing = pricing.standing
        reports: list[Report] = []
        if may_fill and standing is not None and standing.ordinal == quote.ordinal:
            reports = self._offer_standing(standing, at_ns, trading)
        else:
            for order in fresh:
                reports += self._look(order, at_ns, pricing, trading)
            if may_fill and is_usable(quote):
                reports += self._offer_late(quote, at_ns, trading, quoted=standing is not None)
        if may_fill and not self.rules.has_trades and is_usable(quote):
            reports += self._trigger(at_ns, pricing, trading, {"buy": quote.ask, "sell": quote.bid})
        self._sweep()
        return reports

    def on_trade(self, trade: Trade, pricing: Pricing, trading: TradingState = UNRESTRICTED) -> list[Report]:
        """Apply a trade; return the reports of the orders. Stops that it triggers do not fill on it."""
        if not self._is_news(trade.ordinal) or self.empty:
            return []
        at_ns = trade.ts_ns + self.rules.delay_ns
        reports: list[Report] = []
        for order in self._open_due(at_ns):
            reports += self._look(order, at_ns, pricing, trading)
        if is_eligible_print(trade) and trading.may_fill(trade.ts_ns):
            reports += self._offer_print(trade, at_ns, trading, quoted=pricing.standing is not None)
            reports += self._trigger(at_ns, pricing, trading, dict.fromkeys(("buy", "sell"), trade.price))
        self._sweep()
        return reports

    def _is_news(self, ordinal: int) -> bool:
        if ordinal <= self.ordinal:
            return False
        self.ordinal = ordinal
        return True

    def _open_due(self, at_ns: int) -> list[RestingOrder]:
        """Open the orders whose hours have begun by this time."""
        if not self.waiting:
            return []
        due = [order for order in self.waiting if order.opened_ns <= at_ns]
        self.waiting = [order for order in self.waiting if order.opened_ns > at_ns]
        self.orders += due
        return due

    def _look(self, order: RestingOrder, at_ns: int, pricing: Pricing, trading: TradingState) -> list[Report]:
        """Offer the standing quote and reference price to an order that opens: nothing in a halt."""
        if order.is_stop or not order.is_live(at_ns):
            return []
        if trading.halted:
            return self._cancel_ioc(order, at_ns)
        standing = pricing.standing
        if standing is None:
            order.rest_beyond(pricing.price)
            return []
        return self._take(order, standing, at_ns, trading.limits(at_ns, self.rules))

    def _cancel_ioc(self, order: RestingOrder, at_ns: int) -> list[Report]:
        if order.tif != "ioc":
            return []
        order.canceled = True
        return [_end(order, "canceled", max(at_ns, order.opened_ns), HALTED)]

    def _take(self, order: RestingOrder, quote: Quote, at_ns: int, limits: PriceLimits) -> list[Report]:
        """Fill an order from the remaining shares of the standing quote's far side."""
        if quote.ordinal != self.quote_ordinal:
            self.quote_ordinal, self.bought, self.sold = quote.ordinal, 0.0, 0.0
        order.quoted = True
        buys = order.side == "buy"
        far = quote.ask if buys else quote.bid
        price = _within(limits, far, order.offered(far, self.rules.slippage))
        left = quote.ask_size - self.bought if buys else quote.bid_size - self.sold
        taken = _share(order, price, left)
        if buys:
            self.bought += taken
        else:
            self.sold += taken
        return self._settle(order, taken, price, at_ns)

    def _offer_standing(self, quote: Quote, at_ns: int, trading: TradingState) -> list[Report]:
        """Offer the new standing quote to every order."""
        limits = trading.limits(at_ns, self.rules)
        reports: list[Report] = []
        for order in self._live(at_ns):
            reports += self._take(order, quote, at_ns, limits)
        return reports

    def _offer_late(self, quote: Quote, at_ns: int, trading: TradingState, *, quoted: bool) -> list[Report]:
        """Offer a usable quote that is older than the newest to the orders without a standing quote."""
        shown: dict[Side, float] = {"buy": quote.ask_size, "sell": quote.bid_size}
        far: dict[Side, float] = {"buy": quote.ask, "sell": quote.bid}
        limits = trading.limits(at_ns, self.rules)
        reports: list[Report] = []
        for order in self._live(at_ns):
            if quoted and order.quoted and not order.rested:
                continue
            price = _within(limits, far[order.side], order.offered(far[order.side], self.rules.slippage))
            taken = _share(order, price, shown[order.side])
            shown[order.side] -= taken
            reports += self._settle(order, taken, price, at_ns)
        return reports

    def _offer_print(self, trade: Trade, at_ns: int, trading: TradingState, *, quoted: bool) -> list[Report]:
        left = trade.size
        limits = trading.limits(at_ns, self.rules)
        reports: list[Report] = []
        for order in self._live(at_ns):
            printed = order.printed(trade.price, self.rules.slippage, quoted=quoted and order.quoted)
            price = _within(limits, trade.price, printed)
            taken = _share(order, price, left)
            left -= taken
            reports += self._settle(order, taken, price, at_ns)
        return reports

    def _trigger(self, at_ns: int, pricing: Pricing, trading: TradingState, prices: dict[Side, float]) -> list[Report]:
        """Trigger the stops that these prices have reached; they open now, after the orders that are already open."""
        limits = trading.limits(at_ns, self.rules)
        stops = [order for order in self.orders if order.is_stop and order.is_live(at_ns)]
        triggered = [
            order for order in stops if limits.hold(prices[order.side]) and order.is_triggered_by(prices[order.side])
        ]
        reports: list[Report] = []
        for order in triggered:
            self.orders.remove(order)
            self.orders.append(order)
            order.trigger(at_ns)
            reports += self._look(order, at_ns, pricing, trading)
        return reports

    def _live(self, at_ns: int) -> list[RestingOrder]:
        """The orders that may fill at this time, in order of opening."""
        return [order for order in self.orders if not order.is_stop and not order.is_done and order.is_live(at_ns)]

    def _settle(self, order: RestingOrder, taken: float, price: float | None, at_ns: int) -> list[Report]:
        reports: list[Report] = []
        at_ns = max(at_ns, order.opened_ns)
        if price is not None and taken > 0.0:
            reports.append(_fill(order, taken, price, taken * self.rules.fee_per_share, at_ns))
        if order.tif == "ioc" and order.remaining:
            order.canceled = True
            reports.append(_end(order, "canceled", at_ns, "ioc"))
        return reports

    def _expire(
        self, ts_ns: int, is_due: Callable[[RestingOrder], bool], reason: Callable[[RestingOrder], str]
    ) -> list[Report]:
        ended = [order for order in (*self.orders, *self.waiting) if order.tif != "gtc" and is_due(order)]
        for order in ended:
            self._remove(order)
        return [_end(order, "expired", ts_ns, reason(order)) for order in ended]

    def _remove(self, order: RestingOrder) -> None:
        (self.orders if order in self.orders else self.waiting).remove(order)

    def _sweep(self) -> None:
        self.orders = [order for order in self.orders if not order.is_done]

    def _find(self, client_order_id: str) -> RestingOrder | None:
        return next((o for o in (*self.orders, *self.waiting) if o.client_order_id == client_order_id), None)


def _within(limits: PriceLimits, market: float, price: float | None) -> float | None:
    """The price of a fill, kept within the limits; None if the market itself is beyond them."""
    return None if price is None or not limits.hold(market) else limits.clip(price)


def _share(order: RestingOrder, price: float | None, left: float) -> float:
    """The shares that the order takes of the remaining size; 0 without a price."""
    return 0.0 if price is None or left <= DUST else min(order.remaining, left)


def _fill(order: RestingOrder, quantity: float, price: float, fee: float, ts_ns: int) -> Report:
    order.filled += quantity
    order.reports += 1
    status: OrderStatus = "partially_filled" if order.remaining else "filled"
    return Report(order.client_order_id, order.symbol, order.reports, status, ts_ns, quantity, price, fee)


def _end(order: RestingOrder, status: Literal["canceled", "expired"], ts_ns: int, reason: str = "") -> Report:
    order.reports += 1
    return Report(order.client_order_id, order.symbol, order.reports, status, ts_ns, reason=reason)
