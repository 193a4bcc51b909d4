"""Pages of rows of several symbols: by symbol, and within a symbol by time.

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
from desk.local_venue.rest.rest_fault import RestFault


class OrderedRows(Protocol):
    """Rows of one symbol in the order of their keys."""

    def __len__(self) -> int: ...

    def only(self, rows: NDArray[Any] | slice) -> Self:
        """Some of the rows."""
        ...

    def keys(self) -> tuple[Ints, Ints]:
        """Time and number of each row, by which they are ordered."""
        ...


Rows = TypeVar("Rows", bound=OrderedRows)


class PageToken(NamedTuple):
    """The last row of the page before: symbol, time, and the number that orders rows of one time.

    Pages stay whole while the present advances, since a token names a row, not a position.
    """

    symbol: str
    time_ns: int
    number: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The token of a request; None for the first page. Raises RestFault for an unknown token."""
        if not text:
            return None
        try:
            symbol, time_ns, number = msgspec.json.decode(urlsafe_b64decode(text), type=tuple[str, int, int])
        except (ValueError, msgspec.DecodeError):
            raise RestFault(400, "invalid page_token") from None
        return cls(symbol, time_ns, number)

    def text(self) -> str:
        """The token as the next request gives it."""
        return urlsafe_b64encode(msgspec.json.encode(tuple(self))).decode()


def one_page(
    symbols: Sequence[str], rows_of: Callable[[str], Rows], limit: int, *, descending: bool, token: PageToken | None
) -> tuple[dict[str, Rows], PageToken | None]:
    """At most `limit` rows after the token by symbol, and the token of the next page; None at the end.

    `symbols` are sorted. The rows of a symbol are in order; descending pages have the newest first.
    """
    page: dict[str, Rows] = {}
    last: PageToken | None = None
    left = limit
    for symbol in symbols:
        if token is not None and symbol < token.symbol:
            continue
        rows = rows_of(symbol)
        if token is not None and symbol == token.symbol:
            rows = rows.only(_after(token, *rows.keys(), descending=descending))
        if descending:
            rows = rows.only(slice(None, None, -1))
        if not len(rows):
            continue
        if not left:
            return page, last
        page[symbol] = taken = rows.only(slice(left))
        left -= len(taken)
        times, numbers = taken.keys()
        last = PageToken(symbol, int(times[-1]), int(numbers[-1]))
        if len(rows) > len(taken):
            return page, last
    return page, None


def _after(token: PageToken, times: Ints, numbers: Ints, *, descending: bool) -> NDArray[np.bool_]:
    if descending:
        times, numbers, token = -times, -numbers, PageToken("", -token.time_ns, -token.number)
    later: NDArray[np.bool_] = (times > token.time_ns) | ((times == token.time_ns) & (numbers > token.number))
    return later
