"""The doors of the house: what the pure floors need from outside, as protocols.

The in-process desk and the tests plug plain objects in; the actors plug Ray calls in.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Protocol

from desk.model.bars import Bar
from desk.model.batch import News, Position
from desk.model.checkpoint import Checkpoint, ProducerState
from desk.model.feed_health import FeedHealth, Freshness
from desk.model.feed_position import FeedPosition
from desk.model.notes import Note
from desk.model.orders import OrderEvent, OrderKind, Request
from desk.model.records import Decision, ScanAnswer
from desk.model.ticks import Frame


class Clock(Protocol):
    """Wall time. Session time is never read: it is an argument, carried by marks."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Give the processor away for about this long (pacing, backoff)."""
        ...


class FeedCounts(Protocol):
    """What a feed has counted since it began, by class: "trades" and "quotes"."""

    received: dict[str, int]
    rejected: dict[str, dict[str, int]]
    skipped: dict[str, int]
    examples: list[str]


class FeedGap(Protocol):
    """Session time in which nothing could be received, and why."""

    @property
    def from_ns(self) -> int: ...

    @property
    def to_ns(self) -> int: ...

    @property
    def why(self) -> str: ...


class Feed(Protocol):
    """Market data as frames, in arrival order.

    `lossless` feeds wait for the lanes; of a `repeatable` one a successor can read the same ticks again.
    `received` counts rejected rows too; `examples` names the first few of those with place and
    cause. `start_ns` and `end_ns` bound the session where they are known. A feed is opened at its session's start, or
    behind the `position` of an earlier feed of the session, whose totals it continues.
    """

    lossless: bool
    repeatable: bool
    start_ns: int | None
    end_ns: int | None
    counts: FeedCounts

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Hand over these symbols' ticks from the next frame on."""
        ...

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Stop handing over these symbols' ticks from the next frame on."""
        ...

    def frames(self) -> Generator[Frame, None, None]:
        """Frames until the feed ends; a frame with `mark` closes every whole second of session time."""
        ...

    def hurry(self) -> None:
        """Wait for no due time from now on: the caller is about to stop. May be called from another thread."""
        ...

    def take_gaps(self) -> Sequence[FeedGap]:
        """The times without data that ended since the last call."""
        ...

    def position(self) -> FeedPosition:
        """Where another feed continues: to be taken when the last frame bears a mark, before the next frame."""
        ...


class LiveFeed(Feed, Protocol):
    """A feed that cannot wait, from a venue that can be asked for less.

    `patience_s` is how long the next frame may be waited for. `read_age_ns` is received - venue time of what
    was read last, over its recent floor: how far reading is behind. `pace` is how many seconds of session time pass in
    one of wall time. `health` holds totals of the connection.
    """

    patience_s: float

    @property
    def pace(self) -> float: ...

    @property
    def health(self) -> FeedHealth: ...

    @property
    def down_from_ns(self) -> int | None:
        """The session time since which there is no subscription; None while there is one."""
        ...

    @property
    def down_why(self) -> str:
        """Why the feed is down; "" while it is up, or has not failed yet."""
        ...

    def freshness(self, wall_ns: int) -> Freshness:
        """How far what was handed over can be trusted at this wall time."""
        ...

    def keep_below(self, age_ns: int) -> None:
        """Ping a quiet venue so often that its data never seem older than this while it answers."""
        ...

    def open_gap(self, session_ns: int) -> FeedGap | None:
        """The gap that lasts at this session time, up to it; None without one."""
        ...

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        ...

    @property
    def read_age_ns(self) -> int:
        """How far reading is behind."""
        ...

    def venue_ns(self, wall_ns: int) -> int:
        """The venue time of what a reader who is not behind would have read last at this wall time."""
        ...

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Ask the venue for these symbols' quotes no longer."""
        ...

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Ask for them again."""
        ...


class ShardLinks(Protocol):
    """The link under the lanes: batches go out in order per shard, acks come back.

    A shard that dies is told once as lost; what was under way to it gets no ack. Nothing is to be sent to it until
    its successor is told as back. Raises ActorDied where no successor comes.
    """

    def send(self, shard: int, batch: bytes) -> None:
        """Pass one encoded batch on, without waiting for the shard."""
        ...

    def news(self, wait: bool) -> list[News]:
        """What came in since the last call; with `wait` at least one, if anything is under way or anybody lost."""
        ...

    def drain(self) -> list[News]:
        """Acks of everything under way, waited for; where nothing is, the same as `news` with waiting."""
        ...

    def positions(self) -> list[Position]:
        """Where every shard stands, once it is there: for a producer that takes up where another left."""
        ...

    def enlist(self, shard: int) -> None:
        """Another shard is there, or soon will be; it is told as back once it has said where it stands."""
        ...

    def dismiss(self, shard: int) -> None:
        """Nothing is sent to this shard any more, and nothing is under way to it."""
        ...

    def settle(self) -> None:
        """Return once everything that the shards asked of the broker so far is decided and given back."""
        ...


class BrokerDoor(Protocol):
    """The one way to the venue: behind it stand the risk gate, the ledger and the order lifecycle."""

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide all of it in canonical order; the events are committed when this returns."""
        ...

    def submit(self, request: Request) -> None:
        """The same without waiting; the events come to the producer's lanes by themselves."""
        ...

    def unanswered(self) -> list[Request]:
        """What was submitted and is not known to be decided, oldest first."""
        ...

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """Events of all symbols above these numbers (0 where a symbol is not named), by symbol and number."""
        ...

    def begin_close(self, session_ns: int) -> None:
        """The close of the session begins: what follows is taken back if the run is resumed. A repeat is nothing."""
        ...

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End every order that is still open at the end of the session."""
        ...


class ScannerDoor(Protocol):
    """The way to the scanners, which see the market apart from the lanes."""

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Ask the scanners that are due at this mark; whether any is. The market is seen up to `mark_ns`."""
        ...

    def answers(self, wait: bool) -> list[ScanAnswer]:
        """The answers that came in; with `wait`, all that were asked for."""
        ...

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols, oldest first, from the rows received before `until_ns`."""
        ...

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """A shard's remembered trades of these symbols at that time, without those that have none."""
        ...


class KeeperDoor(Protocol):
    """The keeper's letter box: what goes in is not waited for, and is kept in its order whoever dies."""

    def save(self, number: int, checkpoint: bytes) -> None:
        """Keep an encoded checkpoint, whose number it is."""
        ...

    def confirmed(self) -> int:
        """The number of the last checkpoint, of those given here, that is known to be kept; 0 before the first."""
        ...

    def save_producer(self, state: bytes) -> None:
        """Keep an encoded producer state in the place of the last."""
        ...

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint, waited for."""
        ...

    def producer(self) -> ProducerState | None:
        """The last producer state, waited for."""
        ...

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        """The final version of every kept minute of these symbols, over all shards, waited for; in no set order."""
        ...


class Venue(Protocol):
    """Where approved orders go: what it can do, and how it is told."""

    simulated: bool
    kinds: frozenset[OrderKind]


class Ledger(Protocol):
    """The book of decisions, orders and fills. What a call wrote is committed when it returns."""

    def record(self, decisions: Sequence[Decision], events: Sequence[OrderEvent]) -> None:
        """Write decisions with their verdict ("accepted" or "refused: why") and events in one commit.

        Idempotent by client_order_id and by (symbol, event number). Raises LedgerError.
        """
        ...

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome, by (decision_ns, strategy, symbol, number)."""
        ...
