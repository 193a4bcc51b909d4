"""The tradeplan's [[scanners]], [[strategies]], [risk] and [broker]: what trades, within which limits, and where.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from desk.config.kinds import BROKER_KINDS
from desk.config.plan_table import PlanFault, PlanTable
from desk.config.values import ClassPath, Distinct, Name, Symbols, class_name, one_of
from desk.model.timeframes import Timeframe


class ScannerPlan(PlanTable):
    """[[scanners]]: a class that picks symbols from the whole market."""

    use: ClassPath = Field(description="the scanner's class")
    name: Name = Field(default_factory=class_name, description="unique name of the scanner; left out: the class's name")
    every_s: int = Field(default=60, ge=1, le=86_400, description="session time between two scans, in s")
    max_symbols: int = Field(default=50, ge=1, le=20_000, description="most symbols that it may pick at once")
    params: dict[str, Any] = Field(default_factory=dict, description="the scanner's own parameters")


class StrategyPlan(PlanTable):
    """[[strategies]]: a class that trades, and the symbols it trades."""

    use: ClassPath = Field(description="the strategy's class")
    name: Name = Field(
        default_factory=class_name, description="unique name of the strategy; left out: the class's name"
    )
    scanner: str = Field(
        default="", description="name of the scanner that picks the symbols; empty = `symbols` lists them"
    )
    symbols: Symbols = Field(
        default_factory=lambda data: () if data["scanner"] else ("*",),
        description='symbols that the strategy trades; ["*"] = all subscribed symbols',
    )
    params: dict[str, Any] = Field(default_factory=dict, description="the strategy's own parameters")
    bars: Annotated[tuple[Timeframe, ...], Distinct] = Field(
        default=("1m",),
        strict=False,
        min_length=1,
        description="timeframes of the bars that come to on_bar",
        json_schema_extra={"words": 'a list of "1m", "5m", "15m", "1h" and "1d", each once'},
    )
    max_orders_per_minute: int = Field(
        default=0,
        ge=0,
        description="entries per minute of session time, over all symbols; exits are not counted; 0 = an equal share "
        "of [risk] max_orders_per_minute",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if self.scanner and self.symbols:
            yield PlanFault(
                ("symbols",),
                f'`symbols` together with scanner = "{self.scanner}"',
                "one of the two",
                "Leave `symbols` out to trade what the scanner picks, or leave `scanner` out.",
            )
        if not self.scanner and not self.symbols:
            yield PlanFault(
                ("symbols",),
                "an empty list and no `scanner`",
                "at least one symbol, or a `scanner`",
                'Leave `symbols` out to trade all subscribed symbols, which is the same as symbols = ["*"].',
            )


class RiskPlan(PlanTable):
    """[risk]: limits of every entry; 0 rejects all entries."""

    max_order_notional: float = Field(
        default=10_000.0, ge=0, description="quantity x price of one order, in account currency"
    )
    max_position_notional: float = Field(
        default=25_000.0, ge=0, description="size of one symbol's position, in account currency"
    )
    max_gross_notional: float = Field(default=100_000.0, ge=0, description="size of all positions, in account currency")
    max_orders_per_minute: int = Field(
        default=60, ge=0, description="orders per minute of session time, over all strategies"
    )
    max_daily_loss: float = Field(
        default=2000.0, ge=0, description="loss of the day at which entries are refused, in account currency"
    )


class BrokerPlan(PlanTable):
    """[broker]: where orders go."""

    kind: Annotated[str, one_of(BROKER_KINDS)] = Field(
        default="simulated",
        description="the venue that receives the orders",
        json_schema_extra={"enum": list(BROKER_KINDS)},
    )
    slippage_bps: float = Field(
        default=1.0,
        ge=0,
        le=10_000,
        description="difference by which a simulated fill is worse than the quote, in hundredths of a percent",
    )
    fee_per_share: float = Field(
        default=0.0, ge=0, description="fee of a simulated fill per share, in account currency"
    )
