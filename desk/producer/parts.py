"""The ports and parts of a producer. A part knows only the parts below it.

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
from desk.model.history import HistoryNeeds
from desk.ports import (
    Clock,
    DirectoryLinks,
    Feed,
    HistoryPort,
    LiveFeed,
    Mailbox,
    ProducerBroker,
    ScannerPort,
    StateWriter,
    TickWriter,
)
from desk.producer.batch_traces import BatchTraces
from desk.producer.catch_up import CatchUp
from desk.producer.deliveries import Deliveries
from desk.producer.durable_states import ProducerStates
from desk.producer.feed_gaps import FeedGaps
from desk.producer.feed_watch.watch import FeedWatch, FeedWatchConfig
from desk.producer.gap_repair import GapRepairs, RepairConfig
from desk.producer.history_inbox import HistoryInbox
from desk.producer.history_requests import HistoryRequests
from desk.producer.lane_opening import LaneOpening
from desk.producer.lanes import Lanes
from desk.producer.lockstep import LockstepRound
from desk.producer.membership import ShardMembership
from desk.producer.overload import OverloadControl
from desk.producer.progress import Progress
from desk.producer.recording import Recording
from desk.producer.router import Router
from desk.producer.slot_moves import SlotMoves
from desk.producer.subscriptions import Subscriptions
from desk.producer.watched_symbols import WatchedSymbols
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.note_board import NoteBoard
from desk.telemetry.span_recorder import NO_SPANS, SpanRecorder

_encode = msgspec.msgpack.Encoder().encode


class ProducerConfig(msgspec.Struct, frozen=True):
    """Settings of the producer; see `[session]`, `[flow]` and `[guards]` in the tradeplan.

    `epoch` is this incarnation's. `lockstep`: at every mark the feed waits until the broker's decisions are delivered.
    `history_from_start`: the market has rows before the session's start, which warm up the symbols of the plan.
    `waits`: why a live session does not start at once, as a note. Gaps are repaired until `repair_ns` after their end.
    `needs` are the bars of the past that symbols need.
    """

    epoch: int
    lockstep: bool
    session_start_ns: int
    max_data_latency_ns: int
    checkpoint_ns: int
    history_from_start: bool = False
    waits: str = ""
    watch: FeedWatchConfig = FeedWatchConfig()
    repair_ns: int = 0
    needs: HistoryNeeds = HistoryNeeds()


@dataclass(frozen=True)
class ProducerPorts:
    """The interfaces that a producer uses.

    `live` is the feed again if it is a venue's stream. `spans` records traces, `hops` measures the hops of batches,
    `recorder` records the feed's ticks. `history` is None if the market's past is not available, or not needed.
    """

    feed: Feed
    links: DirectoryLinks
    broker: ProducerBroker
    scanners: ScannerPort
    keeper: StateWriter
    clock: Clock
    mailbox: Mailbox
    live: LiveFeed | None = None
    spans: SpanRecorder = NO_SPANS
    hops: HopMeter = field(default_factory=HopMeter)
    recorder: TickWriter | None = None
    history: HistoryPort | None = None


class Beginning(msgspec.Struct, frozen=True):
    """The start of a producer: routing table and symbols of the plan, or those in the `state` of its predecessor.

    `shards` are the current ones; `asleep` has the lane totals of shards that left before.
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
    history: HistoryRequests
    router: Router
    opening: LaneOpening
    enlisting: ShardMembership
    watching: WatchedSymbols
    deliveries: Deliveries
    lockstep: LockstepRound
    gaps: FeedGaps
    repairs: GapRepairs
    watch: FeedWatch
    states: ProducerStates
    catch_up: CatchUp
    traces: BatchTraces
    recording: Recording

    @classmethod
    def made(cls, config: ProducerConfig, ports: ProducerPorts, beginning: Beginning) -> Self:
        """Build all parts."""
        feed, live, state, subscriptions = ports.feed, ports.live, beginning.state, beginning.symbols
        progress = Progress(config.session_start_ns)
        if state is not None:
            progress = Progress(state.mark_ns, marked=True, feed_lag_ns=state.feed_lag_ns)
        notes = NoteBoard()
        traces = BatchTraces(ports.spans)
        lanes = Lanes(beginning.lanes, ports.links, ports.clock, traces, ports.hops)
        lanes.closed |= beginning.asleep
        moves = SlotMoves(beginning.table, 0 if state is None else state.moves, notes, lossless=feed.lossless)
        write_timeout_ns = beginning.lanes.write_timeout_ns
        ladder = OverloadLadder(LadderConfig.of(write_timeout_ns, config.max_data_latency_ns))
        overload = OverloadControl(ladder, lanes.by_shard, live, write_timeout_ns, notes)
        inbox = HistoryInbox(ports.history)
        history_state = b"" if state is None else state.history
        history = HistoryRequests(inbox, config.needs, notes, config.watch.delay_ns, history_state)
        router = Router(lanes, moves, subscriptions, notes, history, from_first=feed.repeatable)
        watching = WatchedSymbols(subscriptions, ports.scanners, feed, notes, state)
        deliveries = Deliveries(ports.broker)
        watch_state = b"" if state is None else state.watch
        watch = FeedWatch(config.watch, config.max_data_latency_ns, feed, live, subscriptions, watch_state)
        states = ProducerStates(config.checkpoint_ns, ports.keeper)
        opening = LaneOpening(lanes, moves, overload, watch, states, ports.clock)
        gaps, apart = ([], {}) if state is None else (state.gaps, state.gaps_apart)
        repair = RepairConfig(config.repair_ns, config.watch.delay_ns)
        return cls(
            progress,
            notes,
            subscriptions,
            lanes,
            moves,
            overload,
            history,
            router,
            opening,
            ShardMembership(lanes, ports.links, moves, opening, states, notes),
            watching,
            deliveries,
            LockstepRound(lanes, router, deliveries, ports.broker),
            FeedGaps(feed, live, subscriptions, gaps, config.watch.delay_ns, config.watch.channels, apart),
            GapRepairs(inbox, repair, subscriptions, notes, b"" if state is None else state.repairs),
            watch,
            states,
            CatchUp(feed, live, ports.clock),
            traces,
            Recording(ports.recorder, config.epoch, notes),
        )

    def state(self, epoch: int, feed: Feed) -> ProducerState:
        """The state from which a successor continues at this mark."""
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
            self.repairs.state(),
            self.history.state(),
            dict(self.gaps.apart),
        )
