"""The parts of a stream protocol that do not depend on its messages: wanted symbols, notes, hidden secrets.

Tests: tests/desk/venues/polygon/test_polygon_protocol.py
"""

from collections.abc import Iterable, Sequence
from typing import Final

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.notes import Level, Note
from desk.model.plain_text import from_outside
from desk.model.ticks import Event, class_of
from desk.streams.limits import MAX_SYMBOLS, MAX_TEXT_CHARS, SymbolBound
from desk.streams.stream_protocol import HangUp
from desk.venues.received_events import skip_unwanted
from desk.venues.wanted_symbols import WantedSymbols

HIDDEN: Final = "*****"
MAX_NOTED: Final = 256
"""Different notes of a session, after which `note_once` adds no more: a venue can make up any number."""


class ProtocolBase:
    """What every protocol has: its state, its notes, and texts without secrets.

    `secrets` are removed from the venue's texts, and never printed. `ready`: the venue has authenticated the client.
    """

    binary = False
    encoding = ""

    def __init__(self, place: str, counts: BlockFeedCounts, secrets: Sequence[str] = ()) -> None:
        self.place = place
        self.headers: dict[str, str] = {}
        self.ticks: list[Event] = []
        self.verdict: HangUp | DeskError | None = None
        self.slow_clients = 0
        self.ready = False
        self.counts = counts
        self._secrets = [secret for secret in secrets if secret]
        self._notes: list[Note] = []
        self._reported: set[str] = set()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r}, ready={self.ready})"

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        return {}

    @property
    def unmapped(self) -> dict[str, int]:
        """How often codes came for which the desk has no letter, by code."""
        return {}

    def take_notes(self) -> list[Note]:
        """New notes since the last call, among them one for each new unknown kind and unmapped code."""
        for kind in self.unknown:
            self.note_once(f"messages of the unknown kind {kind!r} are ignored")
        for code in self.unmapped:
            self.note_once(f"the unknown {code} has no letter and is left out")
        notes, self._notes = self._notes, []
        return notes

    def note(self, text: str, level: Level = "warning") -> None:
        """Add a note about this stream."""
        self._notes.append(Note(f"{self.place}: {text}", level))

    def note_once(self, text: str, level: Level = "warning") -> None:
        """Add a note, unless the same one was added before."""
        if text not in self._reported and len(self._reported) < MAX_NOTED:
            self._reported.add(text)
            self.note(text, level)

    def shown(self, text: str) -> str:
        """The venue's text without secrets, made safe to show."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return from_outside(text, MAX_TEXT_CHARS)

    def note_full(self, symbols: SymbolBound) -> None:
        """Report a full table of symbols, once."""
        if symbols.is_full:
            why = f"more than {MAX_SYMBOLS:,} different symbols: ticks of further ones are rejected as `symbols`"
            self.note_once(why, "error")


class VenueProtocol(ProtocolBase):
    """The base of a protocol that wants symbols by class of ticks.

    A subclass adds `connected`, `receive`, `data_to_send`, `awaiting` and `settled`.
    """

    def __init__(
        self, place: str, counts: BlockFeedCounts, channels: Iterable[str], secrets: Sequence[str] = ()
    ) -> None:
        super().__init__(place, counts, secrets)
        self.wanted = WantedSymbols(channels)

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, by channel."""
        return {}

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe to symbols; "*" means all."""
        self.wanted.add(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe from symbols; their ticks are skipped from now on."""
        self.wanted.remove(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe from the quotes of these symbols for a time."""
        self.wanted.drop_quotes(symbols)

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe to the quotes of these symbols again."""
        self.wanted.restore_quotes(symbols)

    def skip_unwanted(self, first: int, symbols: SymbolBound) -> None:
        """Skip the events from `first` on that are not wanted, and report a full table of symbols."""
        is_wanted = self.wanted.is_wanted
        skip_unwanted(self.ticks, first, self.counts, lambda event: is_wanted(class_of(event), event.symbol))
        self.note_full(symbols)
