"""What a venue's protocol is to the socket loop: bytes in and out, and what it makes of them. No socket inside."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from desk.model.errors import DeskError
from desk.model.notes import Note
from desk.model.ticks import Tick


class HangUp(msgspec.Struct, frozen=True):
    """Why the connection is of no more use; `at_once`: connect again without waiting."""

    reason: str
    at_once: bool = False


class StreamProtocol(Protocol):
    """One venue's stream, without a socket.

    `binary` says how its messages are sent, `headers` what the opening handshake bears. `awaiting` names what
    the venue owes ("the greeting"), "" when nothing; a debt that stands too long ends the connection.
    `ready`: authenticated. `settled`: ready, and the first subscription of this connection is acknowledged as far as it
    ever will be; a later request changes nothing about it.
    `verdict` is set when the connection has to end: a fault ends the feed too. `slow_clients` counts connections that
    the venue closed because the desk read too slowly. `encoding` is the one that the venue uses although another was
    asked for, "" where it does not.
    """

    place: str
    binary: bool
    headers: dict[str, str]
    ticks: list[Tick]
    verdict: HangUp | DeskError | None
    slow_clients: int
    encoding: str

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Want these symbols; "*" is all of them."""
        ...

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Want these no more: what still arrives of them is skipped."""
        ...

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Want no quotes of these for now."""
        ...

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Want their quotes again."""
        ...

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, by channel."""
        ...

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        ...

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        ...

    @property
    def awaiting(self) -> str: ...

    @property
    def ready(self) -> bool: ...

    @property
    def settled(self) -> bool: ...

    @property
    def listening(self) -> bool:
        """Whether something is subscribed, so that silence means something."""
        ...

    def connected(self) -> None:
        """Begin anew on a new connection."""
        ...

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        """Take one message in; its ticks are appended to `ticks`. `text`: it came in text frames."""
        ...

    def data_to_send(self) -> list[bytes]:
        """The messages that have to go out now."""
        ...
