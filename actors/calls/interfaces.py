"""The methods of each actor that other actors call. The classes themselves import much more than their callers need.

`actors.driver.actor_specs` has mypy compare them with the classes. What the bytes hold is in
`actors.calls.order_encoding` and `desk.model`.

Tests: tests/actors/test_handles.py
"""

from collections.abc import Sequence
from typing import Protocol

from desk.model.bars import Bar
from desk.model.records import ScanAnswer
from desk.orders import OrderLedger
from desk.report.run_record import ProcessUsage


class SupervisedActor(Protocol):
    """What the supervisor calls of every actor."""

    def usage(self) -> ProcessUsage:
        """What the actor's process has used."""
        ...

    def stats(self) -> object:
        """What the actor has done so far."""
        ...


class BrokerActor(Protocol):
    """What consumers and the producer call of the broker."""

    def decide(self, request: bytes, /) -> bytes:
        """Decide an encoded request; the encoded order events."""
        ...

    def submit(self, request: bytes, /) -> None:
        """Decide an encoded request and deliver the order events to the producer."""
        ...

    def events_after(self, numbers: bytes, /) -> bytes:
        """The encoded events of all symbols above these encoded numbers."""
        ...

    def begin_close(self, session_ns: int, /) -> None:
        """Note where the ledger stands before the session's close."""
        ...

    def close(self, session_ns: int, /) -> bytes:
        """End every order that is still open; the encoded order events."""
        ...


class KeeperActor(Protocol):
    """What consumers and the producer call of the keeper."""

    def save(self, checkpoint: bytes, /) -> bool:
        """Keep an encoded checkpoint."""
        ...

    def save_producer(self, state: bytes, /) -> bool:
        """Keep an encoded producer state."""
        ...

    def latest(self, shard: int, /) -> bytes | None:
        """The shard's last checkpoint, encoded."""
        ...

    def producer(self) -> bytes | None:
        """The producer's last state, encoded."""
        ...

    def bars(self, symbols: Sequence[str], /) -> bytes:
        """The kept minutes of these symbols, encoded."""
        ...


class LedgerActor(OrderLedger, Protocol):
    """What the broker calls of the ledger."""


class ScannerActor(Protocol):
    """What the producer calls of the scanners."""

    def scan(self, mark_ns: int, subscribed: Sequence[str], /) -> list[ScanAnswer]:
        """Answers of the scanners that are due at the mark."""
        ...

    def history(self, symbols: Sequence[str], until_ns: int, /) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols."""
        ...

    def remembered(self, symbols: Sequence[str], until_ns: int, /) -> dict[str, bytes]:
        """A shard's remembered trades of these symbols."""
        ...


class ConsumerActor(Protocol):
    """What the producer calls of a consumer."""

    def apply(self, batch: bytes, /) -> bytes:
        """Apply one encoded batch; the encoded ack."""
        ...

    def position(self) -> bytes:
        """Where the shard stands, encoded."""
        ...

    def settle(self) -> None:
        """Return once everything that the shard has sent is decided and kept."""
        ...


class ProducerActor(Protocol):
    """What the broker calls of the producer."""

    def deliver(self, events: bytes, /) -> None:
        """Take committed order events, encoded, into the inbox."""
        ...
