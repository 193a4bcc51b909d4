"""What strategies pass with an order, as plain values: their own types cannot be sent, and may say anything.

Tests: tests/desk/consumer/engine/test_instance.py
"""

import math
from decimal import Decimal
from numbers import Real

import numpy as np


def positive(name: str, value: object) -> float:
    """The value as a plain float. It is converted once: a second look may find another number.

    Raises ValueError for what is no positive finite number, and what the value's own methods raise.
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
    """The text itself, without a call of a subclass's methods; "" for what is no text."""
    return str.__str__(value) if isinstance(value, str) else ""
