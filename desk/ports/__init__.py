"""The ports: what the pure floors need from outside, as one protocol for each side that calls.

The in-process desk and the tests plug plain objects in; the actors plug Ray calls in.
"""

from desk.ports.broker import ProducerBroker, ShardBroker
from desk.ports.clock import Clock
from desk.ports.feed import Feed, FeedCounts, FeedGap, LiveFeed
from desk.ports.history import HistoryPort
from desk.ports.keeper import CheckpointWriter, ProducerKeeper, ShardKeeper, StateWriter, TickWriter
from desk.ports.live_market import LiveMarket, MarketUnavailable
from desk.ports.mailbox import Mailbox
from desk.ports.scanners import ScannerPort
from desk.ports.shard_links import LOOK, NOTHING, AckWait, DirectoryLinks, ShardDirectory, ShardLinks, Wait, Waits
from desk.ports.venue import Venue

__all__ = [
    "LOOK",
    "NOTHING",
    "AckWait",
    "CheckpointWriter",
    "Clock",
    "DirectoryLinks",
    "Feed",
    "FeedCounts",
    "FeedGap",
    "HistoryPort",
    "LiveFeed",
    "LiveMarket",
    "Mailbox",
    "MarketUnavailable",
    "ProducerBroker",
    "ProducerKeeper",
    "ScannerPort",
    "ShardBroker",
    "ShardDirectory",
    "ShardKeeper",
    "ShardLinks",
    "StateWriter",
    "TickWriter",
    "Venue",
    "Wait",
    "Waits",
]
