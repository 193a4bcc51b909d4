"""Types of the fields that venues send, with the bounds of what is accepted.

Tests: tests/desk/venues/alpaca/test_alpaca_codec.py
"""

from typing import Annotated

from msgspec import Meta

from desk.streams.limits import MAX_CODE_CHARS, MAX_PRICE, MAX_SIZE, MAX_SYMBOL_CHARS

Symbol = Annotated[str, Meta(min_length=1, max_length=MAX_SYMBOL_CHARS)]
Price = Annotated[float, Meta(gt=0, le=MAX_PRICE)]
Size = Annotated[float, Meta(gt=0, le=MAX_SIZE)]
SideValue = Annotated[float, Meta(ge=0, le=MAX_SIZE)]
"""A price or a size of a quote: 0 means that the side is empty."""
Code = Annotated[str, Meta(max_length=MAX_CODE_CHARS)]
