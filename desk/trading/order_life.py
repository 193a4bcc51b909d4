"""The life of one order: its statuses, the legal steps between them, and the effect of late reports."""

from math import inf, isfinite
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from desk.model.orders import TERMINAL, Intent, OrderStatus, Report

DUST: Final = 1e-9
"""Quantities at or below this many shares are rounding, not shares: venues count nine decimals at most."""

FILLS: Final[frozenset[OrderStatus]] = frozenset({"partially_filled", "filled"})

STEPS: Final = MappingProxyType[OrderStatus, frozenset[OrderStatus]](
    {
        "accepted": frozenset({"pending_cancel", "partially_filled", "filled", "canceled", "expired", "rejected"}),
        "pending_cancel": frozenset({"partially_filled", "filled", "canceled", "expired", "rejected"}),
        "partially_filled": frozenset({"pending_cancel", "partially_filled", "filled", "canceled", "expired"}),
        "canceled": FILLS,
        "expired": FILLS,
        "rejected": FILLS,
        "filled": FILLS,
        "refused": frozenset(),
    }
)
"""The statuses that may follow each status. Only a late fill leaves a terminal status; see `apply_report`."""


class IllegalTransitionError(ValueError):
    """A report or request implies a step that is illegal in the order's status."""


class Order(msgspec.Struct):
    """One order: its intent, its status, and the shares filled.

    `seen` are the numbers of the reports that changed it.
    """

    intent: Intent
    status: OrderStatus = "accepted"
    filled: float = 0.0
    seen: set[int] = set()

    @property
    def remaining(self) -> float:
        """Shares not filled yet; never negative, and never mere rounding."""
        left = self.intent.quantity - self.filled
        return left if left > DUST else 0.0

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill at the venue."""
        return self.status not in TERMINAL


class ReportEffect(NamedTuple):
    """The effect of a report on its order: the shares that count, and those beyond the order's quantity."""

    counted: float = 0.0
    excess: float = 0.0

    @property
    def void(self) -> bool:
        """Whether it brought only shares beyond the order's quantity."""
        return not self.counted and bool(self.excess)


def change_status(order: Order, status: OrderStatus) -> None:
    """Change the status without a fill. Raises IllegalTransitionError."""
    _check(order, status)
    order.status = status


def apply_report(order: Order, report: Report) -> ReportEffect | None:
    """Apply one report; returns None if it changes nothing.

    - A report whose number already changed the order is ignored. Numbers may arrive out of order. So an order is
      restored from its events alone; reports that changed nothing need not be stored.
    - A fill always counts, up to the order's quantity, also after canceled, expired or rejected: the
      shares changed hands at the venue before its terminal report arrived. It makes the order filled when nothing
      remains; otherwise a terminal status, or pending_cancel, stays as it is.
    - Any other report changes nothing in a terminal status, nor when it repeats the order's status or
      its acceptance.
    - A refused order was never sent: any report on it is illegal.

    Raises IllegalTransitionError, and leaves the order as it was, for any other step.
    """
    if report.number in order.seen:
        return None
    if report.status in FILLS:
        step = _fill(order, report)
    elif order.status != "refused" and (not order.is_open or report.status in {"accepted", order.status}):
        step = None
    else:
        change_status(order, report.status)
        step = ReportEffect()
    if step is not None and not step.void:
        order.seen.add(report.number)
    return step


def _fill(order: Order, report: Report) -> ReportEffect:
    _check(order, report.status)
    if not (report.quantity > 0.0 and 0.0 < report.price < inf and isfinite(report.fee)):
        execution = f"{report.quantity:g} shares at {report.price:g}, fee {report.fee:g}"
        raise IllegalTransitionError(f"{report.client_order_id}: no fill can be {execution}")
    counted = min(report.quantity, order.remaining)
    excess = report.quantity - counted
    order.filled += counted
    if order.remaining == 0.0:
        order.status = "filled"
    elif order.status == "accepted":
        order.status = "partially_filled"
    return ReportEffect(counted, excess if excess > DUST else 0.0)


def _check(order: Order, status: OrderStatus) -> None:
    if status not in STEPS[order.status]:
        raise IllegalTransitionError(f"{order.intent.client_order_id}: no step from {order.status} to {status}")
