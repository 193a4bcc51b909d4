"""The order arguments of strategies as plain values: subclasses of float and str cannot be sent, and may misbehave.

Tests: tests/desk/consumer/engine/test_instance.py
"""

import math
from decimal import Decimal
from numbers import Real

import numpy as np


def positive(name: str, value: object) -> float:
    """The value as a plain float. It is converted once, because a subclass may return another number the next time.

    Raises ValueError for a value that is not a positive finite number, and any exception of the value's own methods.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    number = math.nan
    if not isinstance(value, bool) and isinstance(value, Real | Decimal):
        try:
            number = math.fsum((value,))
        except OverflowError:
            number = math.inf
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} must be a positive finite number, not {value!r}")
    return number


def plain_text(value: object) -> str:
    """The text without a call of a subclass's methods; "" for a value that is no str."""
    return str.__str__(value) if isinstance(value, str) else ""
