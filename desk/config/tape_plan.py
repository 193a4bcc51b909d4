"""The tradeplan's [tape]: whether what a live feed receives is recorded.

Tests: tests/desk/config/test_plan.py
"""

from pydantic import Field

from desk.config.plan_table import PlanTable


class TapePlan(PlanTable):
    """[tape]: a tape of what the run's live feed receives."""

    record: bool = Field(
        default=False, description="whether a live feed's ticks are written to `tape/` in the run folder, as a tape"
    )
