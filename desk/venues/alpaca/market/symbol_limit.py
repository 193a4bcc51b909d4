"""How many more symbols the venue may grant: a search by halving after its error 405.

Tests: tests/desk/venues/alpaca/test_alpaca_limits.py
"""


class SymbolLimit:
    """The limit is unknown until a request is refused. Then requests are halved until one symbol more is refused.

    `room` is the largest number of further symbols that may be granted; None: unknown.
    """

    def __init__(self) -> None:
        self.room: int | None = None

    @property
    def is_reached(self) -> bool:
        """Whether no further symbol is granted."""
        return self.room == 0

    def request_size(self, most: int) -> int:
        """The number of symbols of the next request."""
        return most if self.room is None else min(most, (self.room + 1) // 2)

    def granted(self, symbols: int) -> None:
        """Record that a request was granted."""
        if self.room is not None:
            self.room = max(0, self.room - symbols)

    def refused(self, symbols: int) -> None:
        """Record that a request for so many symbols was refused."""
        self.room = symbols - 1

    def left(self, symbols: int) -> None:
        """Record that so many symbols are not subscribed any more: others may take their place."""
        if self.room is not None:
            self.room += symbols

    def reset(self) -> None:
        """Forget the limit: a new connection may have another."""
        self.room = None
