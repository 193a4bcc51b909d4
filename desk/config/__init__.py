"""Configuration: the tradeplan, and what flags and the environment lay over it. Read once, at the start."""

from desk.config.feed_plan import FeedPlan, SyntheticPlan
from desk.config.idle_keys import plan_notes
from desk.config.override import choose_consumers, first_consumers, override
from desk.config.plan import (
    BarsPlan,
    BrokerPlan,
    ConsumersPlan,
    FlowPlan,
    GuardsPlan,
    LedgerPlan,
    Plan,
    ResultsPlan,
    RiskPlan,
    ScannerPlan,
    SessionPlan,
    StrategyPlan,
)
from desk.config.plan_file import load_plan
from desk.config.settings import Settings, load_settings, secrets_folder
from desk.config.telemetry_plan import TelemetryPlan

__all__ = [
    "BarsPlan",
    "BrokerPlan",
    "ConsumersPlan",
    "FeedPlan",
    "FlowPlan",
    "GuardsPlan",
    "LedgerPlan",
    "Plan",
    "ResultsPlan",
    "RiskPlan",
    "ScannerPlan",
    "SessionPlan",
    "Settings",
    "StrategyPlan",
    "SyntheticPlan",
    "TelemetryPlan",
    "choose_consumers",
    "first_consumers",
    "load_plan",
    "load_settings",
    "override",
    "plan_notes",
    "secrets_folder",
]
