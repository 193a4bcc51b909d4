"""Limits of what a venue may send: messages beyond them are rejected, or end the connection.

Tests: tests/desk/inprocess/test_hostile_bounds.py
"""

from typing import Final

from desk.model.units import SECOND_NS

MAX_SYMBOLS: Final = 50_000
"""Different symbols of one session, a venue's whole market several times over; ticks of others are rejected."""
MAX_SYMBOL_CHARS: Final = 40
MAX_CONDITIONS: Final = 32
MAX_CODE_CHARS: Final = 16
"""Of one condition, of an exchange and of a tape."""
MAX_TEXT_CHARS: Final = 300
"""The characters of a venue's text that are shown."""
MAX_MESSAGE_BYTES: Final = 4 << 20
MAX_MALFORMED: Final = 1_000
"""Malformed messages of one frame, after which the rest is skipped."""
MAX_HANDSHAKE_BYTES: Final = 128 << 10
MAX_FRAGMENTS: Final = 65_536
MAX_IDLE_FRAMES: Final = 1_000
"""Frames within a second without data: pings, pongs, and empty parts and messages."""
MAX_PRICE: Final = 1e12
MAX_SIZE: Final = 1e15


class EmptyFrameCounter:
    """Counts frames without data, by the second. Times are those of any monotonic clock."""

    def __init__(self) -> None:
        self._since_ns = 0
        self._frames = 0

    def add(self, now_ns: int) -> bool:
        """Count one; return whether that is too many."""
        if now_ns - self._since_ns >= SECOND_NS:
            self._since_ns, self._frames = now_ns, 0
        self._frames += 1
        return self._frames > MAX_IDLE_FRAMES


class SymbolBound:
    """The symbols that a venue may send in a session: printable names, MAX_SYMBOLS at most."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self.is_full = False

    def cause(self, symbols: set[str]) -> str:
        """Why these symbols are rejected: `symbol` or `symbols`; "" if all are accepted, and known from now on."""
        new = symbols - self._known
        if not new:
            return ""
        if not all(map(str.isprintable, new)):
            return "symbol"
        if len(self._known) + len(new) > MAX_SYMBOLS:
            self.is_full = True
            return "symbols"
        self._known |= new
        return ""
