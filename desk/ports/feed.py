"""Market data, as the producer reads them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from desk.model.errors import DeskError
from desk.model.feed_health import FeedHealth, Freshness, SymbolActivity
from desk.model.feed_position import FeedPosition
from desk.model.notes import Note
from desk.model.ticks import Frame


class FeedCounts(Protocol):
    """The totals of a feed, by class: "trades", "quotes" and "notices"."""

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
    """Market data as frames, in arrival order. No method but `close` waits.

    `lossless` feeds wait for the lanes; of a `repeatable` one a successor can read the same ticks again.
    `received` counts rejected rows too; `examples` names the first few of those with place and
    cause. `start_ns` and `end_ns` bound the session where they are known. A feed is opened at its session's start, or
    behind the `position` of an earlier feed of the session, whose totals it continues.

    The caller waits until the wall time `due_ns` (0: it reads at once) or until `descriptor` is readable, and reads.
    `descriptor` is None while only time brings frames. Both change with every read, `due_ns` with subscriptions too.
    `ended`: there is nothing more to read.
    """

    lossless: bool
    repeatable: bool
    start_ns: int | None
    end_ns: int | None
    counts: FeedCounts
    ended: bool

    @property
    def descriptor(self) -> int | None: ...

    @property
    def due_ns(self) -> int: ...

    def open(self) -> None:
        """Open the feed: once, before the first read."""
        ...

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Hand over these symbols' ticks from the next frame on, the most wanted first.

        Symbols that are subscribed already may be among them: of a venue with a limit, this sets their order.
        """
        ...

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Stop handing over these symbols' ticks from the next frame on."""
        ...

    def read(self) -> Frame | None:
        """The next frame; None if none is due, or if the feed has ended.

        A frame with `mark` closes every whole second of session time. Raises the DeskError that ends the feed.
        """
        ...

    def close(self) -> None:
        """Close the feed, and skip what was read and not returned. Closing a connection may take a second."""
        ...

    def hurry(self) -> None:
        """Make every frame due at once: the session ends as soon as its producer has caught up."""
        ...

    def take_gaps(self) -> Sequence[FeedGap]:
        """The gaps that ended since the last call."""
        ...

    def position(self) -> FeedPosition:
        """Where another feed continues. Valid after a frame with a mark, before the next read."""
        ...


class LiveFeed(Feed, Protocol):
    """A feed from a venue, which cannot wait for the lanes, and whose subscriptions can be reduced.

    `fault` is the error that ended a session which had a subscription; None without one.
    `read_age_ns` is received - venue time of what was read last, over its recent floor: how far reading is behind.
    `pace` is how many seconds of session time pass in one of wall time. `health` holds totals of the connection.
    """

    fault: DeskError | None

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
        """Why the feed is down; "" while it is up, and before the first failure."""
        ...

    def freshness(self, wall_ns: int) -> Freshness:
        """Whether data may be missing at this wall time, and how long the venue has been silent."""
        ...

    def keep_below(self, age_ns: int) -> None:
        """Ping a quiet venue often enough that its data never seem older than this while it answers."""
        ...

    def expect_delay(self, delay_ns: int) -> None:
        """Accept ticks of before the exchange day that come so much later by design."""
        ...

    def open_gap(self, session_ns: int) -> FeedGap | None:
        """The gap that has not ended at this session time, up to it; None without one."""
        ...

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        ...

    @property
    def read_age_ns(self) -> int:
        """How far reading is behind."""
        ...

    def venue_ns(self, wall_ns: int) -> int:
        """The venue time that a reader without delay would have reached at this wall time."""
        ...

    def is_open(self, session_ns: int) -> bool:
        """Whether the exchange is in regular hours at this session time, and not in a break."""
        ...

    def resubscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe these symbols anew, if the venue can do that symbol by symbol."""
        ...

    def take_activity(self) -> SymbolActivity:
        """The symbols that traded since the last call, and the venue's messages about symbols."""
        ...

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe these symbols' quotes for now."""
        ...

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe these symbols' quotes again."""
        ...
