"""The position of a feed after a mark, from which another feed can continue."""

import msgspec

from desk.model.feed_health import FeedHealth


class FeedPosition(msgspec.Struct, array_like=True, frozen=True):
    """The last mark that a feed handed over, and its totals up to it; see `Feed.position`.

    `received`, `rejected` and `skipped` count by class ("trades", "quotes", "notices"), `rejected` by cause within it.
    `examples` name the first rejected rows. `health` is that of a live feed's connection.
    """

    mark_ns: int
    received: dict[str, int] = {}
    rejected: dict[str, dict[str, int]] = {}
    skipped: dict[str, int] = {}
    examples: list[str] = []
    health: FeedHealth | None = None
