"""The base class of the tradeplan's tables: frozen and typed. It rejects unknown keys and keys in conflict.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

CONFLICT: Final = "plan_conflict"

Location = tuple[str | int, ...]


class PlanFault(NamedTuple):
    """One fault in a plan; `location` consists of keys and list indexes from 0."""

    location: Location
    found: str
    expected: str = ""
    remedy: str = ""


class PlanTable(BaseModel):
    """Base of every table. Only whole numbers are converted, to floats: all TOML values have types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    def conflicts(self) -> Iterator[PlanFault]:
        """Faults in the combination of valid keys; locations are relative to this table."""
        return iter(())

    @model_validator(mode="after")
    def _require_no_conflicts(self) -> Self:
        faults = list(self.conflicts())
        if faults:
            text = "; ".join(f"{fault.found}, expected {fault.expected}" for fault in faults)
            raise PydanticCustomError(CONFLICT, "{text}", {"text": text, "faults": faults})
        return self
