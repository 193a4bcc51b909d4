"""A table of the tradeplan: frozen, typed, closed to unknown keys, and able to tell what disagrees within it.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

DISAGREE: Final = "plan_disagrees"

Location = tuple[str | int, ...]


class PlanFault(NamedTuple):
    """One thing that is wrong at one place of a plan; `location` is keys and list positions from 0."""

    location: Location
    found: str
    expected: str = ""
    remedy: str = ""


class PlanTable(BaseModel):
    """Base of every table. TOML values are typed, so nothing is converted but whole numbers to floats."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    def disagreements(self) -> Iterator[PlanFault]:
        """Faults between keys that are each right alone, located from this table on."""
        return iter(())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = list(self.disagreements())
        if faults:
            text = "; ".join(f"{fault.found}, expected {fault.expected}" for fault in faults)
            raise PydanticCustomError(DISAGREE, "{text}", {"text": text, "faults": faults})
        return self
