"""Risk: the limits, what the desk is exposed to, and the gate that alone approves orders."""

from desk.risk.exposure import Exposure, Stake
from desk.risk.gate import Approved, RiskGate, rule_of
from desk.risk.limits import RiskLimits, entry_shares

__all__ = ["Approved", "Exposure", "RiskGate", "RiskLimits", "Stake", "entry_shares", "rule_of"]
