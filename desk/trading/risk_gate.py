"""The risk gate: no order leaves the desk without its approval."""

from collections import deque
from datetime import UTC, datetime
from math import inf
from typing import Final

from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.orders import Intent
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.trading.exposure import Exposure
from desk.trading.order_life import DUST
from desk.trading.risk_limits import RiskLimits

_SEAL: Final = object()
_RULES: Final = {"stale data": "stale_data", "no price known for the symbol": "no_price"}


class Approved:
    """An intent approved by the gate, the only kind of order that brokers accept. Only the gate creates one."""

    __slots__ = ("intent", "is_exit")

    def __init__(self, intent: Intent, *, is_exit: bool, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only the risk gate approves orders")
        self.intent = intent
        self.is_exit = is_exit


class RiskGate:
    """Judges intents against the limits, one after the other; its only state are the times of its last approvals.

    Each strategy has its own limit of entries per minute, over all symbols, so that none exhausts the others' share.

    An exit (an order that only reduces the strategy's position in the symbol) is subject to max_orders_per_minute only,
    which delays it by at most a minute: exits must be possible with old data, beyond the loss limit, and from a
    position that grew beyond an order's limit. Every other order is an entry.

    Entries need a reference price, and a symbol that is not halted. Orders decided after their hours are refused, exits
    too: they could not fill.
    """

    def __init__(self, limits: RiskLimits, hours: TradingDay = ALWAYS_OPEN) -> None:
        self.limits = limits
        self.hours = hours
        self._orders = _Minute(limits.max_orders_per_minute)
        self._entries = {name: _Minute(limit) for name, limit in limits.entries_per_minute.items()}

    def judge(self, intent: Intent, exposure: Exposure) -> Approved | str:
        """The approval, or the reason for refusing. On approval the caller adds the order to `exposure`."""
        is_exit = _is_exit(intent, exposure)
        now_ns = self._now_ns(intent)
        reason = _malformed(intent) or self._over(intent) or self._orders.full("max_orders_per_minute", now_ns)
        if not reason and not is_exit:
            reason = self._entry(intent, exposure)
        if reason:
            return reason
        return self._approve(intent, is_exit=is_exit)

    def recall(self, intent: Intent, exposure: Exposure) -> Approved:
        """Repeat an approval from before a restart; calls must have the original order and exposure."""
        return self._approve(intent, is_exit=_is_exit(intent, exposure))

    def _approve(self, intent: Intent, *, is_exit: bool) -> Approved:
        now_ns = self._now_ns(intent)
        self._orders.add(now_ns)
        if not is_exit and intent.strategy in self._entries:
            self._entries[intent.strategy].add(now_ns)
        return Approved(intent, is_exit=is_exit, seal=_SEAL)

    def _now_ns(self, intent: Intent) -> int:
        return max(intent.decision_ns, self._orders.last_ns)

    def _over(self, intent: Intent) -> str:
        """The reason if the order's hours were over when it was decided; else ""."""
        hours = self.hours
        end_ns, what = (
            (hours.end_ns, "extended hours end") if intent.extended_hours else (hours.close_ns, "the regular close is")
        )
        if intent.decision_ns < end_ns:
            return ""
        return f"hours: decided at {_utc(intent.decision_ns)}, and {what} at {_utc(end_ns)}"

    def _entry(self, intent: Intent, exposure: Exposure) -> str:
        if intent.halted:
            return "halted: the venue has halted trading in the symbol"
        if intent.degraded:
            return "stale data"
        if not 0.0 < intent.reference_price < inf:
            return "no price known for the symbol"
        price = _price(intent)
        own = self._entries.get(intent.strategy)
        return (
            ("" if own is None else own.full("strategy_max_orders_per_minute", self._now_ns(intent)))
            or _above("max_order_notional", intent.quantity * price, self.limits.max_order_notional)
            or self._room(intent, max(price, exposure.prices.get(intent.symbol, 0.0)), exposure)
            or self._loss(exposure)
        )

    def _room(self, intent: Intent, price: float, exposure: Exposure) -> str:
        stake = exposure.stake((intent.strategy, intent.symbol))
        shares = exposure.shares(intent.symbol)
        shares_after = shares - stake.worst + stake.plus(intent.side, intent.quantity).worst
        others = exposure.gross_notional() - shares * exposure.prices.get(intent.symbol, 0.0)
        notional = shares_after * price
        return _above("max_position_notional", notional, self.limits.max_position_notional) or _above(
            "max_gross_notional", others + notional, self.limits.max_gross_notional
        )

    def _loss(self, exposure: Exposure) -> str:
        loss, limit = exposure.loss(), self.limits.max_daily_loss
        return f"max_daily_loss: {loss:.2f} >= {limit:.2f}" if loss >= limit else ""


class _Minute:
    """The times of the last approvals, as many as are allowed per minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._approved_ns: deque[int] = deque(maxlen=max(limit, 1))

    @property
    def last_ns(self) -> int:
        """The time of the last one; 0 before the first."""
        return self._approved_ns[-1] if self._approved_ns else 0

    def add(self, now_ns: int) -> None:
        """Count an approval. The state depends on approvals only, so that `recall` can restore it."""
        self._approved_ns.append(now_ns)

    def full(self, rule: str, now_ns: int) -> str:
        """The reason if another order would exceed this rule; else ""."""
        limit = self._limit
        full = len(self._approved_ns) >= limit and (not limit or self._approved_ns[0] > now_ns - MINUTE_NS)
        return f"{rule}: {limit + 1} > {limit}" if full else ""


def rule_of(reason: str) -> str:
    """The rule's name in a reason for refusing: the text before the colon."""
    if reason.endswith("orders are not taken by this venue"):
        return "order_kind"
    rule = reason.partition(":")[0]
    return _RULES.get(rule, rule.replace(" ", "_"))


def _is_exit(intent: Intent, exposure: Exposure) -> bool:
    return exposure.stake((intent.strategy, intent.symbol)).is_reduced_by(intent.side, intent.quantity)


def _above(name: str, value: float, limit: float) -> str:
    return f"{name}: {value:.2f} > {limit:.2f}" if value > limit else ""


def _price(intent: Intent) -> float:
    """The highest price at which a share may trade, as far as known before the fill.

    A buy never pays more than its limit. Everything else may trade at the market, which is at the stop
    when that triggers; a sale may bring more than its limit.
    """
    if intent.side == "buy" and intent.limit_price is not None:
        return intent.limit_price
    return max(intent.reference_price, intent.limit_price or 0.0, intent.stop_price or 0.0)


def _utc(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%H:%M:%S} UTC"


def _malformed(intent: Intent) -> str:
    if not 0.0 < intent.quantity < inf:
        return f"quantity: {intent.quantity:g} is no positive finite number"
    if intent.quantity <= DUST:
        return f"quantity: {intent.quantity:g} is not above {DUST:g}, the least that counts as shares"
    needs = {
        "market": (),
        "limit": ("limit_price",),
        "stop": ("stop_price",),
        "stop_limit": ("limit_price", "stop_price"),
    }
    for name in ("limit_price", "stop_price"):
        price: float | None = getattr(intent, name)
        if (price is not None) != (name in needs[intent.kind]):
            return f"{name}: {price} for a {intent.kind} order"
        if price is not None and not 0.0 < price < inf:
            return f"{name}: {price:g} is no positive finite number"
    return ""
