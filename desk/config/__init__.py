"""Configuration: the tradeplan, overridden by the environment and by flags. It is read once, at the start."""

from desk.config.consumers_plan import ConsumersPlan, FlowPlan, GuardsPlan
from desk.config.feed_plan import FeedPlan, SyntheticPlan
from desk.config.json_plan import JsonMap
from desk.config.override import choose_consumers, initial_consumers, override
from desk.config.plan import Plan
from desk.config.plan_file import load_plan
from desk.config.session_plan import BarsPlan, SessionPlan
from desk.config.settings import Settings, load_settings, named_secret, secrets_folder
from desk.config.storage_plan import LedgerPlan, ResultsPlan
from desk.config.telemetry_plan import TelemetryPlan
from desk.config.trading_plan import BrokerPlan, RiskPlan, ScannerPlan, StrategyPlan
from desk.config.unused_keys import plan_notes

__all__ = [
    "BarsPlan",
    "BrokerPlan",
    "ConsumersPlan",
    "FeedPlan",
    "FlowPlan",
    "GuardsPlan",
    "JsonMap",
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
    "initial_consumers",
    "load_plan",
    "load_settings",
    "named_secret",
    "override",
    "plan_notes",
    "secrets_folder",
]
