from typing import Any

import pytest
from order_makers import an_intent

from desk.model.hours import TradingDay
from desk.model.orders import Intent
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.trading.exposure import Exposure, Stake
from desk.trading.order_life import Order
from desk.trading.risk_gate import Approved, RiskGate, rule_of
from desk.trading.risk_limits import RiskLimits, entry_shares

WIDE: dict[str, Any] = {
    "max_order_notional": 1e9,
    "max_position_notional": 1e9,
    "max_gross_notional": 1e9,
    "max_orders_per_minute": 1000,
    "max_daily_loss": 1e9,
}


def a_gate(**limits: Any) -> RiskGate:
    return RiskGate(RiskLimits(**WIDE | limits))


def send(gate: RiskGate, exposure: Exposure, intent: Intent) -> Approved | str:
    exposure.mark(intent.symbol, intent.reference_price)
    verdict = gate.judge(intent, exposure)
    if isinstance(verdict, Approved):
        exposure.add(Order(intent))
    return verdict


def holding(quantity: float, price: float = 100.0) -> Exposure:
    exposure = Exposure()
    exposure.add(Order(an_intent(1), "filled", filled=10.0))
    exposure.book.fill(("s", "X"), "buy" if quantity > 0 else "sell", abs(quantity), price)
    exposure.mark("X", price)
    return exposure


def test_nobody_else_can_make_an_approval() -> None:
    with pytest.raises(TypeError, match="only the risk gate"):
        Approved(an_intent(), is_exit=False, seal=object())


def test_an_order_above_the_limit_is_refused_with_both_figures() -> None:
    verdict = send(a_gate(max_order_notional=10_000.0), Exposure(), an_intent(quantity=120.0))

    assert verdict == "max_order_notional: 12000.00 > 10000.00"


def test_a_buy_is_judged_by_its_limit_and_a_sale_by_the_higher_price() -> None:
    gate = a_gate(max_order_notional=1_000.0)

    buy = send(gate, Exposure(), an_intent(1, quantity=11.0, kind="limit", limit_price=90.0))
    sell = send(gate, Exposure(), an_intent(2, quantity=11.0, side="sell", kind="limit", limit_price=90.0))

    assert isinstance(buy, Approved)
    assert sell == "max_order_notional: 1100.00 > 1000.00"


def test_open_orders_count_towards_the_position() -> None:
    gate, exposure = a_gate(max_position_notional=2_500.0), Exposure()

    verdicts = [send(gate, exposure, an_intent(number)) for number in (1, 2, 3)]

    assert isinstance(verdicts[1], Approved)
    assert verdicts[2] == "max_position_notional: 3000.00 > 2500.00"


def test_two_strategies_on_opposite_sides_are_not_netted() -> None:
    gate, exposure = a_gate(max_position_notional=1_500.0), Exposure()
    send(gate, exposure, an_intent(1))

    verdict = send(gate, exposure, an_intent(1, strategy="t", side="sell"))

    assert verdict == "max_position_notional: 2000.00 > 1500.00"


def test_open_orders_of_all_symbols_count_towards_gross() -> None:
    gate, exposure = a_gate(max_gross_notional=1_500.0), Exposure()
    send(gate, exposure, an_intent(1))

    verdict = send(gate, exposure, an_intent(1, symbol="Y"))

    assert verdict == "max_gross_notional: 2000.00 > 1500.00"


def test_the_minute_of_orders_slides_with_session_time() -> None:
    gate, exposure = a_gate(max_orders_per_minute=2), Exposure()

    verdicts = [
        send(gate, exposure, an_intent(number, decision_ns=at))
        for number, at in enumerate([0, SECOND_NS, MINUTE_NS - 1, MINUTE_NS, MINUTE_NS + 1])
    ]

    assert [isinstance(verdict, Approved) for verdict in verdicts] == [True, True, False, True, False]
    assert verdicts[2] == "max_orders_per_minute: 3 > 2"


def test_a_limit_of_no_orders_lets_none_through() -> None:
    assert send(a_gate(max_orders_per_minute=0), Exposure(), an_intent()) == "max_orders_per_minute: 1 > 0"


def test_after_the_daily_loss_only_exits_pass() -> None:
    gate, exposure = a_gate(max_daily_loss=50.0), holding(10.0)
    exposure.mark("X", 95.0)

    entry = send(gate, exposure, an_intent(2, reference_price=95.0))
    exit_ = send(gate, exposure, an_intent(3, side="sell", reference_price=95.0))

    assert entry == "max_daily_loss: 50.00 >= 50.00"
    assert isinstance(exit_, Approved)


def test_fees_are_part_of_the_loss() -> None:
    exposure = holding(10.0)
    exposure.book.fill(("s", "X"), "sell", 10.0, 101.0, fee=30.0)

    assert exposure.loss() == 20.0


@pytest.mark.parametrize(("held", "side"), [(10.0, "sell"), (-10.0, "buy")])
def test_stale_data_stops_entries_and_never_exits(held: float, side: Any) -> None:
    gate, exposure = a_gate(max_order_notional=1.0), holding(held)

    exit_ = send(gate, exposure, an_intent(2, side=side, degraded=True, reference_price=float("nan")))
    second_exit = send(gate, exposure, an_intent(3, side=side, quantity=1.0, degraded=True))

    assert isinstance(exit_, Approved)
    assert exit_.is_exit
    assert second_exit == "stale data"


def test_an_order_that_would_flip_the_position_is_an_entry() -> None:
    verdict = send(a_gate(), holding(10.0), an_intent(2, side="sell", quantity=11.0, degraded=True))

    assert verdict == "stale data"


@pytest.mark.parametrize("reference_price", [float("nan"), 0.0, float("inf")])
@pytest.mark.parametrize(
    "order",
    [
        {},
        {"kind": "limit", "limit_price": 90.0},
        {"side": "sell", "kind": "limit", "limit_price": 90.0},
        {"kind": "stop", "stop_price": 90.0},
        {"kind": "stop_limit", "stop_price": 90.0, "limit_price": 91.0},
    ],
    ids=["market", "buy limit", "sell limit", "stop", "stop limit"],
)
def test_an_entry_without_a_reference_price_is_refused(order: dict[str, Any], reference_price: float) -> None:
    verdict = send(a_gate(), Exposure(), an_intent(reference_price=reference_price, **order))

    assert verdict == "no price known for the symbol"


@pytest.mark.parametrize(
    ("decided_ns", "extended_hours", "reason"),
    [
        (299 * SECOND_NS, False, ""),
        (300 * SECOND_NS, False, "hours: decided at 00:05:00 UTC, and the regular close is at 00:05:00 UTC"),
        (300 * SECOND_NS, True, ""),
        (400 * SECOND_NS, True, "hours: decided at 00:06:40 UTC, and extended hours end at 00:06:40 UTC"),
    ],
)
def test_orders_decided_after_their_hours_are_refused_exits_too(
    decided_ns: int, extended_hours: bool, reason: str
) -> None:
    hours = TradingDay(100 * SECOND_NS, 200 * SECOND_NS, 300 * SECOND_NS, 400 * SECOND_NS)
    gate = RiskGate(RiskLimits(**WIDE), hours)
    fields = {"decision_ns": decided_ns, "extended_hours": extended_hours, "kind": "limit", "limit_price": 100.0}

    entry = send(gate, Exposure(), an_intent(1, **fields))
    exit_ = send(gate, holding(10.0), an_intent(2, side="sell", **fields))

    for verdict in (entry, exit_):
        assert verdict == reason if reason else isinstance(verdict, Approved)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": -5.0}, "quantity: -5 is no positive finite number"),
        ({"quantity": float("nan")}, "quantity: nan is no positive finite number"),
        ({"kind": "limit"}, "limit_price: None for a limit order"),
        ({"stop_price": 5.0}, "stop_price: 5.0 for a market order"),
        ({"kind": "stop", "stop_price": 0.0}, "stop_price: 0 is no positive finite number"),
    ],
)
def test_a_malformed_intent_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert send(a_gate(), Exposure(), an_intent(**changes)) == reason


def test_the_worst_case_of_a_stake_is_its_longer_side() -> None:
    assert Stake(10.0, buys=5.0, sells=40.0).worst == 30.0
    assert Stake(10.0, buys=50.0, sells=40.0).worst == 60.0


def test_a_strategy_that_floods_leaves_the_others_their_share_of_the_minute() -> None:
    gate = a_gate(max_orders_per_minute=10, entries_per_minute=entry_shares(10, {"flood": 0, "s": 0}))
    exposure = Exposure()
    flood = [an_intent(n, strategy="flood", symbol=f"S{n}", decision_ns=SECOND_NS) for n in range(1, 50)]

    verdicts = [send(gate, exposure, intent) for intent in flood]
    others = [send(gate, exposure, an_intent(n, decision_ns=2 * SECOND_NS)) for n in range(1, 7)]

    assert [isinstance(verdict, Approved) for verdict in verdicts] == [True] * 5 + [False] * 44
    assert verdicts[-1] == "strategy_max_orders_per_minute: 6 > 5"
    assert [isinstance(verdict, Approved) for verdict in others] == [True] * 5 + [False]
    later = an_intent(50, strategy="flood", symbol="S50", decision_ns=SECOND_NS + MINUTE_NS)
    assert isinstance(send(gate, exposure, later), Approved)


def test_exits_do_not_count_for_the_strategys_own_limit_and_are_not_held_back_by_it() -> None:
    gate = a_gate(entries_per_minute={"s": 1})
    exposure = holding(100.0)

    exits = [send(gate, exposure, an_intent(n, side="sell", quantity=1.0)) for n in range(2, 8)]
    entries = [send(gate, exposure, an_intent(n, quantity=1.0)) for n in range(8, 10)]

    assert all(isinstance(verdict, Approved) for verdict in exits)
    assert [isinstance(verdict, Approved) for verdict in entries] == [True, False]
    assert isinstance(send(gate, exposure, an_intent(10, side="sell", quantity=1.0)), Approved)


def test_a_share_is_equal_unless_the_plan_says_otherwise_and_never_nothing() -> None:
    assert entry_shares(60, {"a": 0, "b": 0, "c": 5}) == {"a": 20, "b": 20, "c": 5}
    assert entry_shares(2, {"a": 0, "b": 0, "c": 0}) == {"a": 1, "b": 1, "c": 1}
    assert entry_shares(60, {}) == {}


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("stale data", "stale_data"),
        ("no price known for the symbol", "no_price"),
        ("session closed", "session_closed"),
        ("stop orders are not taken by this venue", "order_kind"),
        ("strategy_max_orders_per_minute: 6 > 5", "strategy_max_orders_per_minute"),
        ("max_order_notional: 2.00 > 1.00", "max_order_notional"),
    ],
)
def test_a_reason_begins_with_its_rule(reason: str, rule: str) -> None:
    assert rule_of(reason) == rule
