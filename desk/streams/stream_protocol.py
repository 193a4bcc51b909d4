"""The protocol of a venue's stream, as the socket loop uses it: bytes in, ticks and bytes out. No socket inside."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import msgspec

from desk.model.errors import DeskError
from desk.model.notes import Note
from desk.model.ticks import Event


class HangUp(msgspec.Struct, frozen=True):
    """Why the connection has to end; `at_once`: reconnect without waiting.

    `is_full`: the venue allows no further connection now; the desk waits as `ConnectionAttempts` says.
    """

    reason: str
    at_once: bool = False
    is_full: bool = False


class StreamProtocol(Protocol):
    """One venue's stream, without a socket.

    `binary`: messages are sent in binary frames; `headers` are those of the opening handshake. `awaiting` names the
    answer that the venue still owes ("the greeting"), or is ""; an answer that takes too long ends the connection.
    `ready`: authenticated. `settled`: ready, and the venue has answered the first subscription of this connection; a
    later request does not change that.
    `verdict` is set when the connection has to end; a DeskError ends the feed too. `slow_clients` counts connections
    that the venue closed because the desk read too slowly. `encoding` is the venue's encoding if it is not the
    requested one, else "".
    """

    place: str
    binary: bool
    headers: dict[str, str]
    ticks: list[Event]
    verdict: HangUp | DeskError | None
    slow_clients: int
    encoding: str

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe these symbols, the most wanted first; "*" is all of them. Present ones may change their order."""
        ...

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe these symbols: ticks of them that still arrive are skipped."""
        ...

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe the quotes of these symbols for now."""
        ...

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe their quotes again."""
        ...

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue rejects, by channel."""
        ...

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        ...

    @property
    def unmapped(self) -> dict[str, int]:
        """Codes of the venue for which the desk has no letter, by name, such as "sale condition 99"."""
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
        """Whether anything is subscribed, so that data are expected."""
        ...

    def connected(self) -> None:
        """Reset for a new connection."""
        ...

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        """Decode one message; its ticks are appended to `ticks`. `text`: it came in text frames."""
        ...

    def data_to_send(self) -> list[bytes]:
        """The messages to send now."""
        ...


@runtime_checkable
class SelectiveStream(Protocol):
    """A stream whose venue may refuse whole channels, and whose symbols can be subscribed anew one by one.

    `dropped` are the channels of the plan that the venue refuses, with the reason; `dropped_helpers` those that the
    desk can do without.
    """

    dropped: dict[str, str]
    dropped_helpers: dict[str, str]

    def resubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe these symbols, and subscribe them again."""
        ...
