"""Market data, as the producer reads them."""

from collections.abc import Generator, Iterable, Sequence
from typing import Protocol

from desk.model.feed_health import FeedHealth, Freshness
from desk.model.feed_position import FeedPosition
from desk.model.notes import Note
from desk.model.ticks import Frame


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
