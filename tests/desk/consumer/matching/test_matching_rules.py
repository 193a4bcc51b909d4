"""The rules of docs/reference/simulated-venue.md, each with examples of market data and fills."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from order_makers import accepted, an_id

from desk.bars.reference_price import Pricing
from desk.consumer.matching import Matcher, MatchingRules, TradingState
from desk.model.hours import TradingDay
from desk.model.notices import PriceBands, TradingStatus
from desk.model.orders import Report
from desk.model.ticks import Quote, Trade

PAGE: Final = Path(__file__).parents[4] / "docs" / "reference" / "simulated-venue.md"
NOTHING: Final[list[Any]] = []
DAY: Final = TradingDay(start_ns=100, open_ns=200, close_ns=300, end_ns=400)


class Step(NamedTuple):
    """One thing that happens: `what` with its arguments. Times are ns of session and venue alike."""

    what: str
    at_ns: int
    fields: dict[str, Any]


def order(at_ns: int, number: int = 1, **fields: Any) -> Step:
    """The accepted event of an order of 100 shares is applied."""
    return Step("order", at_ns, fields | {"number": number})


def buy_limit(at_ns: int, limit: float, number: int = 1, **fields: Any) -> Step:
    return order(at_ns, number, kind="limit", limit_price=limit, **fields)


def sell_limit(at_ns: int, limit: float, number: int = 1, **fields: Any) -> Step:
    return order(at_ns, number, kind="limit", limit_price=limit, side="sell", **fields)


def stop(at_ns: int, price: float, side: str = "sell", number: int = 1, **fields: Any) -> Step:
    return order(at_ns, number, kind="stop", stop_price=price, side=side, **fields)


def quote(at_ns: int, bid: float, ask: float, bid_size: float = 500.0, ask_size: float = 500.0) -> Step:
    return Step("quote", at_ns, {"bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size})


def trade(at_ns: int, price: float, size: float = 500.0, conditions: str = "@") -> Step:
    return Step("trade", at_ns, {"price": price, "size": size, "conditions": conditions})


def mark(at_ns: int) -> Step:
    return Step("mark", at_ns, {})


def gap() -> Step:
    return Step("gap", 0, {})


def close(at_ns: int) -> Step:
    return Step("close", at_ns, {})


def cancel(at_ns: int, number: int = 1) -> Step:
    return Step("cancel", at_ns, {"number": number})


def halt(at_ns: int) -> Step:
    return Step("status", at_ns, {"code": "H"})


def resume(at_ns: int) -> Step:
    return Step("status", at_ns, {"code": "T"})


def bands(at_ns: int, down: float, up: float) -> Step:
    return Step("bands", at_ns, {"down": down, "up": up})


class Venue:
    """One symbol's pricing and matcher, which are given what a shard gives them."""

    def __init__(self, rules: MatchingRules) -> None:
        self.matcher = Matcher(rules)
        self.pricing = Pricing()
        self.trading = TradingState()
        self.ordinal = 0

    def play(self, step: Step) -> list[Report]:
        fields = dict(step.fields)
        match step.what:
            case "order":
                event = accepted(fields.pop("number"), **fields)
                return self.matcher.open(event, step.at_ns, self.pricing, self.trading)
            case "quote":
                self.ordinal += 1
                book = (fields["bid"], fields["bid_size"], fields["ask"], fields["ask_size"])
                tick = Quote(self.ordinal, "X", step.at_ns, 0, *book)
                self.pricing.on_quote(tick)
                return self.matcher.on_quote(tick, self.pricing, self.trading)
            case "trade":
                self.ordinal += 1
                printed = Trade(self.ordinal, "X", step.at_ns, 0, **fields)
                self.pricing.on_trade(printed)
                return self.matcher.on_trade(printed, self.pricing, self.trading)
            case "mark":
                return self.matcher.on_mark(step.at_ns, self.pricing, self.trading)
            case "cancel":
                return self.matcher.cancel(an_id(fields["number"]), step.at_ns)
            case "close":
                return self.matcher.expire(step.at_ns)
            case "bands":
                self.trading.take_bands(PriceBands(0, "X", step.at_ns, 0, **fields))
                return []
            case "status":
                self.trading.take_status(TradingStatus(0, "X", step.at_ns, 0, **fields))
                self.pricing.clear_quotes()
                return self.matcher.on_status(step.at_ns, self.trading)
        self.pricing.clear_quotes()
        return []


def outcome(report: Report) -> Any:
    """(order, shares, price) of a fill, (order, status, reason) of an end."""
    number = int(report.client_order_id.rpartition("-")[2])
    if report.quantity:
        return number, report.quantity, pytest.approx(report.price)
    return number, report.status, report.reason


def filled(price: float, quantity: float = 100.0, number: int = 1) -> tuple[int, float, float]:
    return number, quantity, price


def ended(status: str, reason: str = "", number: int = 1) -> tuple[int, str, str]:
    return number, status, reason


def rules(**fields: Any) -> MatchingRules:
    return MatchingRules(**fields)


END: Final = ended("expired", "session closed")
EXAMPLES: Final[dict[int, dict[str, tuple[list[Step], list[Any]]]]] = {
    1: {
        "a print from before the order fills no market order": ([order(10), trade(9, 100)], NOTHING),
        "a print at the order's time does": ([order(10), trade(10, 100)], [filled(100)]),
        "a late report goes through no limit": (
            [quote(1, 99.99, 100.01), buy_limit(10, 95), trade(9, 90), trade(11, 100)],
            NOTHING,
        ),
        "a late report triggers no stop": ([quote(1, 99.99, 100.01), stop(10, 92), trade(9, 90)], NOTHING),
        "a quote from before the order fills nothing": ([order(10), quote(9, 99, 101)], NOTHING),
        "a late print from after the opening does": (
            [quote(1, 99.99, 100.01), buy_limit(10, 95), trade(50, 100), trade(11, 94)],
            [filled(95)],
        ),
    },
    2: {
        "what printed before the trigger does not fill the stop": (
            [stop(10, 95), trade(20, 95), trade(15, 99), trade(21, 94)],
            [filled(94)],
        ),
        "the standing quote at the trigger does": (
            [quote(1, 94.5, 94.6), stop(10, 95), trade(20, 95)],
            [filled(94.5)],
        ),
    },
    3: {
        "a market order takes the ask at once": ([quote(1, 99.99, 100.01), order(10)], [filled(100.01)]),
        "a sale takes the bid": ([quote(1, 99.99, 100.01), order(10, side="sell")], [filled(99.99)]),
        "a reachable limit is filled at the far side, not at its limit": (
            [quote(1, 99.99, 100.01), buy_limit(10, 110)],
            [filled(100.01)],
        ),
        "a sale, likewise": ([quote(1, 99.99, 100.01), sell_limit(10, 90)], [filled(99.99)]),
        "up to the size shown, the rest at the next quote": (
            [quote(1, 99, 101, ask_size=60), order(10), quote(11, 99, 102, ask_size=60)],
            [filled(101, 60), filled(102, 40)],
        ),
        "what earlier orders took is gone": (
            [quote(1, 99, 101, ask_size=150), order(10), order(10, 2), order(11, 3, side="sell")],
            [filled(101), filled(101, 50, 2), filled(99, 100, 3)],
        ),
        "and stays gone when nothing else is open": (
            [quote(1, 99, 101, ask_size=100), order(10), mark(11), order(12, 2)],
            [filled(101)],
        ),
        "a limit that the quote does not reach waits": ([quote(1, 99, 101), buy_limit(10, 100)], NOTHING),
        "of a locked market, too": ([quote(1, 100, 100), order(10)], [filled(100)]),
    },
    4: {
        "the next print": ([trade(1, 99), order(10), trade(11, 100, 40)], [filled(100, 40)]),
        "the next quote": ([trade(1, 99), order(10), quote(11, 99, 101)], [filled(101)]),
        "a limit above the market pays the market": (
            [trade(1, 100.0), buy_limit(10, 110), trade(11, 100.01)],
            [filled(100.01)],
        ),
        "a sale, likewise": ([trade(1, 100.0), sell_limit(10, 90), trade(11, 100.02)], [filled(100.02)]),
        "a print at the limit is allowed": ([trade(1, 99), buy_limit(10, 100), trade(11, 100)], [filled(100)]),
        "a print beyond it is not": ([trade(1, 99), buy_limit(10, 100), trade(11, 100.5)], NOTHING),
        "after a gap there is no standing quote": (
            [quote(1, 99, 101), gap(), order(10), trade(11, 103)],
            [filled(103)],
        ),
    },
    5: {
        "no prints while a quote stands": (
            [quote(1, 99, 101, ask_size=60), order(10), trade(11, 100), quote(12, 99, 101)],
            [filled(101, 60), filled(101, 40)],
        ),
        "prints again when it is crossed": (
            [quote(1, 99, 101, ask_size=60), order(10), quote(11, 101, 99), trade(12, 100)],
            [filled(101, 60), filled(100, 40)],
        ),
        "or lost in a gap": (
            [quote(1, 99, 101, ask_size=60), order(10), gap(), trade(12, 100)],
            [filled(101, 60), filled(100, 40)],
        ),
    },
    6: {},
    7: {
        "a quote beyond the limit, then the limit's price and no better": (
            [quote(1, 99, 101), buy_limit(10, 100), quote(11, 97, 98)],
            [filled(100)],
        ),
        "the reference price at its opening": (
            [trade(1, 100), buy_limit(10, 95), trade(11, 94)],
            [filled(95)],
        ),
        "which is held within the quote": (
            [trade(1, 94), quote(2, 99, 101), quote(3, 101, 99), buy_limit(10, 95), trade(11, 94)],
            [filled(95)],
        ),
        "a print beyond the limit": (
            [trade(1, 100), buy_limit(10, 100), trade(11, 101), trade(12, 99)],
            [filled(100)],
        ),
        "not a print while a quote stands": (
            [quote(1, 99, 100, ask_size=60), buy_limit(10, 100), trade(11, 101), quote(12, 98, 99)],
            [filled(100, 60), filled(99, 40)],
        ),
    },
    8: {
        "not a print at the limit": (
            [quote(1, 99, 101), buy_limit(10, 100), trade(11, 100), trade(12, 99.99, 40)],
            [filled(100, 40)],
        ),
        "a sale, likewise": (
            [quote(1, 99, 101), sell_limit(10, 100), trade(11, 100), trade(12, 100.01, 40)],
            [filled(100, 40)],
        ),
        "a quote at the limit": ([quote(1, 99, 101), buy_limit(10, 100), quote(11, 99, 100)], [filled(100)]),
        "a quote through it": ([quote(1, 99, 101), sell_limit(10, 100), quote(11, 102, 103)], [filled(100)]),
    },
    9: {
        "a print at the stop": ([quote(1, 94, 95), stop(10, 95), trade(11, 95)], [filled(94)]),
        "not one short of it": ([quote(1, 94, 95), stop(10, 95), trade(11, 95.01)], NOTHING),
        "a buy, likewise": (
            [quote(1, 104, 105), stop(10, 105, "buy"), trade(11, 104.99), trade(12, 105)],
            [filled(105)],
        ),
        "not a quote": ([stop(10, 95), quote(11, 80, 81)], NOTHING),
        "not the print itself": ([stop(10, 95), trade(11, 90), trade(12, 91, 40)], [filled(91, 40)]),
        "a stop limit keeps its limit": (
            [
                order(10, kind="stop_limit", stop_price=105, limit_price=105.5),
                trade(11, 105),
                quote(12, 105, 106),
                quote(13, 105, 105.5),
            ],
            [filled(105.5)],
        ),
    },
    10: {},
    11: {
        "of a print, both sides": (
            [order(10), order(10, 2, side="sell"), trade(11, 100, 150)],
            [filled(100), filled(100, 50, 2)],
        ),
        "of a quote, each side by itself": (
            [order(10), order(10, 2), order(10, 3, side="sell"), quote(11, 99, 101, ask_size=150)],
            [filled(101), filled(101, 50, 2), filled(99, 100, 3)],
        ),
        "a stop comes behind those that are open when it is triggered": (
            [stop(10, 95), buy_limit(10, 94, 3), order(12, 2, side="sell"), trade(13, 95, 60), trade(14, 94.5, 60)],
            [filled(95, 60, 2), filled(94.5, 40, 2), filled(94.5, 20)],
        ),
    },
    12: {
        "crossed": ([order(10), quote(11, 101, 99)], NOTHING),
        "empty on a side": ([order(10), quote(11, 99, 101, bid_size=0)], NOTHING),
        "without a price": ([order(10), quote(11, 99, float("nan"))], NOTHING),
        "too wide": ([order(10), quote(11, 50, 150)], NOTHING),
        "no standing quote either": ([quote(1, 99, 101), quote(2, 50, 150), order(10)], NOTHING),
        "an average price": ([order(10), trade(11, 60, conditions="W"), trade(12, 100)], [filled(100)]),
        "an odd lot through a limit": (
            [quote(1, 99, 101), buy_limit(10, 100), trade(11, 90, conditions="I")],
            NOTHING,
        ),
        "an average price at a stop": ([quote(1, 99, 101), stop(10, 95), trade(11, 60, conditions="W")], NOTHING),
        "a print of no shares": ([order(10), trade(11, 100, 0), trade(12, 101)], [filled(101)]),
    },
    13: {
        "a limit that rests": (
            [quote(1, 99, 101), buy_limit(10, 95), quote(50, 99, 101), quote(20, 94, 94.5)],
            [filled(95)],
        ),
        "not what has a standing quote": (
            [quote(1, 99, 101, ask_size=60), order(10), quote(50, 99, 101, ask_size=10), quote(20, 94, 94.5)],
            [filled(101, 60), filled(101, 10)],
        ),
        "what has none": ([quote(50, 101, 99), order(10), quote(20, 94, 94.5)], [filled(94.5)]),
    },
    14: {
        "after the standing quote": (
            [quote(1, 99, 101, ask_size=60), order(10, tif="ioc")],
            [filled(101, 60), ended("canceled", "ioc")],
        ),
        "a limit out of reach": (
            [quote(1, 99, 101), buy_limit(10, 100, tif="ioc")],
            [ended("canceled", "ioc")],
        ),
        "after the first print": (
            [order(10, tif="ioc"), trade(9, 100), trade(11, 90, conditions="W"), trade(12, 100, 60)],
            [filled(100, 60), ended("canceled", "ioc")],
        ),
        "after the first usable quote": (
            [buy_limit(10, 90, tif="ioc"), quote(11, 102, 101), quote(12, 99, 101)],
            [ended("canceled", "ioc")],
        ),
        "a stop waits for its trigger first": (
            [quote(1, 94, 95, bid_size=60), stop(10, 95, tif="ioc"), quote(11, 94, 95, bid_size=60), trade(12, 95)],
            [filled(94, 60), ended("canceled", "ioc")],
        ),
    },
    15: {
        "it waits for the open": ([quote(150, 99, 101), order(160), mark(199), mark(200)], [filled(101)]),
        "nothing before fills or triggers it": (
            [order(160), stop(160, 95, number=2), trade(199, 90), quote(199, 94, 95), trade(150, 90)],
            NOTHING,
        ),
        "the first print at the open opens it": ([order(160), trade(200, 100)], [filled(100)]),
        "the first quote, too": ([order(160), quote(201, 99, 101)], [filled(101)]),
        "and shares it": (
            [order(160), order(170, 2), quote(201, 99, 101, ask_size=150)],
            [filled(101), filled(101, 50, 2)],
        ),
        "with extended hours it is open at once": (
            [quote(150, 99, 101), buy_limit(160, 102, extended_hours=True)],
            [filled(101)],
        ),
        "but not before these": (
            [quote(50, 99, 101), buy_limit(60, 102, extended_hours=True), trade(99, 90), mark(100)],
            [filled(101)],
        ),
        "it can be canceled while it waits": ([order(160), cancel(170), mark(200)], [ended("canceled")]),
    },
    16: {
        "at the regular close": (
            [buy_limit(210, 50), mark(299), mark(300)],
            [ended("expired", "day order: the regular close")],
        ),
        "with extended hours at their end": (
            [buy_limit(210, 50, extended_hours=True), mark(300), mark(399), mark(401)],
            [ended("expired", "day order: the end of extended hours")],
        ),
        "one that never opened, too": ([order(160), mark(300)], [ended("expired", "day order: the regular close")]),
        "what is stamped at the close fills nothing": ([order(210), trade(300, 100), quote(301, 99, 101)], NOTHING),
        "what is stamped before it does": ([order(210), trade(299, 100)], [filled(100)]),
        "a gtc order stays, and does not fill after the close": (
            [buy_limit(210, 200, tif="gtc"), mark(300), trade(301, 100)],
            NOTHING,
        ),
        "it fills with extended hours": (
            [buy_limit(210, 200, tif="gtc", extended_hours=True), mark(300), trade(301, 100)],
            [filled(100)],
        ),
    },
    17: {
        "day and ioc orders": (
            [buy_limit(10, 90), order(10, 2, tif="ioc"), buy_limit(10, 90, 3, tif="gtc"), close(50)],
            [ended("expired", "session closed"), ended("expired", "session closed", 2)],
        ),
    },
    18: {
        "no quote fills an order in a halt": ([order(10), halt(11), quote(12, 99, 101), close(20)], [END]),
        "no print does": ([order(10), halt(11), trade(12, 100), close(20)], [END]),
        "no order that is sent in it is filled by the quote of before": (
            [quote(1, 99, 101), halt(5), order(10), close(20)],
            [END],
        ),
        "nor a limit that rests": (
            [quote(1, 99.99, 100.01), buy_limit(10, 95), halt(11), trade(12, 94), quote(13, 93, 94), close(20)],
            [END],
        ),
        "no stop is triggered": ([stop(10, 95), halt(11), trade(12, 94), resume(13), quote(14, 99, 101)], NOTHING),
        "a mark fills nothing": ([quote(1, 99, 101), halt(5), order(10), mark(11)], NOTHING),
        "a late print of the halt fills nothing afterwards": (
            [order(10), halt(11), resume(20), trade(15, 90), trade(20, 100)],
            [filled(100)],
        ),
        "a late quote of before it neither": ([order(10), halt(11), resume(20), quote(10, 99, 101)], NOTHING),
        "an ioc order is canceled when it is sent": (
            [quote(1, 99, 101), halt(5), order(10, tif="ioc")],
            [ended("canceled", "ioc: trading is halted")],
        ),
        "and when the halt begins": ([order(10, tif="ioc"), halt(11)], [ended("canceled", "ioc: trading is halted")]),
        "a cancel is possible": ([order(10), halt(11), cancel(12)], [ended("canceled")]),
        "other messages end no halt": (
            [order(10), halt(11), Step("status", 12, {"code": "Q"}), quote(13, 99, 101), trade(14, 100)],
            NOTHING,
        ),
    },
    19: {
        "the next quote fills": (
            [quote(1, 99, 101), halt(5), order(10), resume(20), quote(21, 98, 102)],
            [filled(102)],
        ),
        "the quote of before the halt does not": (
            [quote(1, 99, 101), halt(5), order(10), resume(20), mark(21)],
            NOTHING,
        ),
        "nor one of within it": ([order(10), halt(11), quote(12, 99, 101), resume(20), mark(21)], NOTHING),
        "the auction's print does, up to its size": (
            [halt(5), order(10), order(10, 2), resume(20), trade(20, 90, 150, "5")],
            [filled(90), filled(90, 50, 2)],
        ),
        "at its price, for a limit that rested before, too": (
            [quote(1, 99.99, 100.01), buy_limit(10, 95), halt(11), resume(20), trade(21, 90)],
            [filled(90)],
        ),
        "a limit that it does not reach rests": (
            [buy_limit(10, 95), halt(11), resume(20), trade(21, 96), trade(22, 95), trade(23, 94)],
            [filled(95)],
        ),
    },
    20: {
        "an ask above the upper band fills nothing": ([bands(1, 90, 100), order(10), quote(11, 99, 101)], NOTHING),
        "one at it does": ([bands(1, 90, 100), order(10), quote(11, 99, 100)], [filled(100)]),
        "a bid below the lower band fills nothing": (
            [bands(1, 90, 100), order(10, side="sell"), quote(11, 89, 91)],
            NOTHING,
        ),
        "an ioc order is canceled": (
            [bands(1, 90, 100), quote(2, 99, 101), order(10, tif="ioc")],
            [ended("canceled", "ioc")],
        ),
        "a print beyond them fills nothing": ([bands(1, 90, 100), order(10), trade(11, 101)], NOTHING),
        "and triggers nothing": ([bands(1, 90, 100), stop(10, 95), trade(11, 89), quote(12, 95, 96)], NOTHING),
        "new bands replace the old": (
            [bands(1, 90, 100), order(10), bands(11, 91, 101), quote(12, 99, 101)],
            [filled(101)],
        ),
        "older ones do not": ([bands(5, 90, 100), bands(4, 90, 110), order(10), quote(11, 99, 101)], NOTHING),
        "what happened before they began is not judged by them": (
            [order(10), bands(20, 90, 100), trade(15, 101)],
            [filled(101)],
        ),
        "a resumption ends them": (
            [bands(1, 90, 100), order(10), halt(11), resume(20), quote(21, 109, 110)],
            [filled(110)],
        ),
    },
}
WITH_RULES: Final[dict[int, dict[str, tuple[MatchingRules, list[Step], list[Any]]]]] = {
    17: {
        "an order that waits for the open": (
            rules(hours=DAY),
            [order(160), close(170)],
            [ended("expired", "session closed")],
        ),
    },
    1: {
        "of a feed that is late by design": (
            rules(delay_ns=900),
            [order(1000), trade(99, 90), trade(100, 100)],
            [filled(100)],
        ),
    },
    6: {
        "a market order": (
            rules(slippage_bps=10),
            [quote(1, 99, 101), order(10), order(10, 2, side="sell")],
            [filled(101.101), filled(98.901, number=2)],
        ),
        "on a print": (rules(slippage_bps=10), [order(10), trade(11, 100)], [filled(100.1)]),
        "a triggered stop": (
            rules(slippage_bps=10),
            [quote(1, 94, 95), stop(10, 95), trade(11, 95)],
            [filled(93.906)],
        ),
        "no limit": (rules(slippage_bps=10), [quote(1, 99, 101), buy_limit(10, 101)], [filled(101)]),
        "no stop limit": (
            rules(slippage_bps=10),
            [
                quote(1, 94, 95),
                order(10, kind="stop_limit", stop_price=95, limit_price=90, side="sell"),
                trade(11, 95),
            ],
            [filled(94)],
        ),
    },
    20: {
        "slippage stays within them": (
            rules(slippage_bps=100),
            [bands(1, 90, 100.5), order(10), quote(11, 99, 100)],
            [filled(100.5)],
        ),
        "they hold in the regular hours only": (
            rules(hours=DAY),
            [bands(250, 90, 100), buy_limit(310, 110, extended_hours=True), quote(320, 99, 101)],
            [filled(101)],
        ),
    },
    10: {
        "a sell stop by the bid": (
            rules(has_trades=False),
            [stop(10, 90), quote(11, 90.01, 90.02), quote(12, 90, 90.02, bid_size=60), quote(13, 89, 90)],
            [filled(90, 60), filled(89, 40)],
        ),
        "a buy stop by the ask": (
            rules(has_trades=False),
            [stop(10, 105, "buy"), quote(11, 104, 104.99), quote(12, 104, 105)],
            [filled(105)],
        ),
        "not by an unusable quote": (
            rules(has_trades=False),
            [stop(10, 90), quote(11, 50, 150), quote(12, 80, 70), quote(13, 99, 100)],
            NOTHING,
        ),
        "not by one from before the order": (rules(has_trades=False), [stop(10, 90), quote(9, 80, 81)], NOTHING),
    },
}


def examples() -> list[Any]:
    found = []
    for rule, cases in EXAMPLES.items():
        used = rules(hours=DAY) if rule in {15, 16} else rules()
        found += [pytest.param(used, *case, id=f"{rule}: {name}") for name, case in cases.items()]
    for rule, given in WITH_RULES.items():
        found += [pytest.param(*case, id=f"{rule}: {name}") for name, case in given.items()]
    return found


@pytest.mark.parametrize(("used", "steps", "expected"), examples())
def test_the_venue_does_what_its_page_says(used: MatchingRules, steps: list[Step], expected: list[Any]) -> None:
    venue = Venue(used)

    reports = [report for step in steps for report in venue.play(step)]

    assert [outcome(report) for report in reports] == expected


def test_every_rule_of_the_page_has_examples_and_every_example_a_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    numbered = [int(line.split(".")[0]) for line in page.splitlines() if line.split(".")[0].isdigit()]

    assert numbered == sorted(rule for rule in EXAMPLES if EXAMPLES[rule] or rule in WITH_RULES)
