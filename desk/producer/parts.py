"""What a producer is made of: its ports, and its parts, which know one another only downward.

Tests: tests/desk/producer/test_shape.py
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec

from desk.flow import LaneConfig
from desk.flow.ladder import LadderConfig, OverloadLadder
from desk.flow.routing_table import RoutingTable
from desk.model.batch import LaneTotals
from desk.model.checkpoint import ProducerState
from desk.ports import Clock, DirectoryLinks, Feed, LiveFeed, Mailbox, ProducerBroker, ScannerPort, StateWriter
from desk.producer.catch_up import CatchUp
from desk.producer.deliveries import Deliveries
from desk.producer.durable_states import ProducerStates
from desk.producer.feed_gaps import FeedGaps
from desk.producer.feed_watch.watch import FeedWatch, FeedWatchConfig
from desk.producer.lane_opening import LaneOpening
from desk.producer.lanes import Lanes
from desk.producer.lockstep import LockstepRound
from desk.producer.membership import ShardMembership
from desk.producer.overload import OverloadControl
from desk.producer.progress import Progress
from desk.producer.router import Router
from desk.producer.slot_moves import SlotMoves
from desk.producer.subscriptions import Subscriptions
from desk.producer.watched_symbols import WatchedSymbols
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.note_board import NoteBoard

_encode = msgspec.msgpack.Encoder().encode


class ProducerConfig(msgspec.Struct, frozen=True):
    """How the producer works; see `[session]`, `[flow]` and `[guards]` in the tradeplan.

    `epoch` is this incarnation's. `lockstep`: every mark waits until its intents are decided and given back.
    `history_from_start`: the market has rows before the session's start, which warm up the symbols of the plan.
    `waits`: why a live session does not start at once.
    """

    epoch: int
    lockstep: bool
    session_start_ns: int
    max_data_latency_ns: int
    checkpoint_ns: int
    history_from_start: bool = False
    waits: str = ""
    watch: FeedWatchConfig = FeedWatchConfig()


@dataclass(frozen=True)
class ProducerPorts:
    """What a producer needs from outside. `live` is the feed, where it cannot wait for the lanes and has a venue.

    `hops` measures the hops of its batches.
    """

    feed: Feed
    links: DirectoryLinks
    broker: ProducerBroker
    scanners: ScannerPort
    keeper: StateWriter
    clock: Clock
    mailbox: Mailbox
    live: LiveFeed | None = None
    hops: HopMeter = field(default_factory=HopMeter)


class Beginning(msgspec.Struct, frozen=True):
    """Where a producer begins: the table and symbols of the plan, or what a dead producer left in `state`.

    `shards` are those that there are, `asleep` the lane totals of those that left before its time.
    """

    table: RoutingTable
    lanes: LaneConfig
    symbols: Subscriptions
    shards: Sequence[int]
    state: ProducerState | None = None
    asleep: Mapping[int, LaneTotals] = {}


@dataclass(frozen=True)
class ProducerParts:
    """The parts of a producer."""

    progress: Progress
    notes: NoteBoard
    subscriptions: Subscriptions
    lanes: Lanes
    moves: SlotMoves
    overload: OverloadControl
    router: Router
    opening: LaneOpening
    enlisting: ShardMembership
    watching: WatchedSymbols
    deliveries: Deliveries
    lockstep: LockstepRound
    gaps: FeedGaps
    watch: FeedWatch
    states: ProducerStates
    catch_up: CatchUp

    @classmethod
    def made(cls, config: ProducerConfig, ports: ProducerPorts, beginning: Beginning) -> Self:
        """Make all parts."""
        feed, live, state, subscriptions = ports.feed, ports.live, beginning.state, beginning.symbols
        progress = Progress(config.session_start_ns)
        if state is not None:
            progress = Progress(state.mark_ns, marked=True, feed_lag_ns=state.feed_lag_ns)
        notes = NoteBoard()
        lanes = Lanes(beginning.lanes, ports.links, ports.clock, ports.hops)
        lanes.closed |= beginning.asleep
        moves = SlotMoves(beginning.table, 0 if state is None else state.moves, notes, waits=feed.lossless)
        write_timeout_ns = beginning.lanes.write_timeout_ns
        ladder = OverloadLadder(LadderConfig.of(write_timeout_ns, config.max_data_latency_ns))
        overload = OverloadControl(ladder, lanes.by_shard, live, write_timeout_ns, notes)
        router = Router(lanes, moves, subscriptions, notes, from_first=feed.repeatable)
        watching = WatchedSymbols(subscriptions, ports.scanners, feed, notes, state)
        deliveries = Deliveries(ports.broker)
        kept = b"" if state is None else state.watch
        watch = FeedWatch(config.watch, config.max_data_latency_ns, feed, live, subscriptions, kept)
        states = ProducerStates(config.checkpoint_ns, ports.keeper)
        opening = LaneOpening(lanes, moves, overload, watch, states, ports.clock)
        gaps = [] if state is None else state.gaps
        return cls(
            progress,
            notes,
            subscriptions,
            lanes,
            moves,
            overload,
            router,
            opening,
            ShardMembership(lanes, ports.links, moves, opening, states, notes),
            watching,
            deliveries,
            LockstepRound(lanes, router, deliveries, ports.broker),
            FeedGaps(feed, live, subscriptions, gaps, config.watch.delay_ns, config.watch.channels),
            watch,
            states,
            CatchUp(feed, live, ports.clock),
        )

    def state(self, epoch: int, feed: Feed) -> ProducerState:
        """What a successor needs to go on from this mark."""
        return ProducerState(
            epoch,
            feed.position(),
            self.watching.asked_ns,
            self.subscriptions.state(),
            _encode(self.moves.table),
            self.moves.number,
            self.gaps.records,
            self.progress.feed_lag_ns,
            self.watch.state(),
        )
