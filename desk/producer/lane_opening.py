"""Opens a lane at the last mark of the other lanes, with the totals from which it counts.

Tests: tests/desk/producer/test_membership.py
"""

from desk.flow import Lane
from desk.model.batch import LaneTotals, ShardPosition
from desk.model.items import Mark
from desk.ports import Clock
from desk.producer.durable_states import ProducerStates
from desk.producer.feed_watch.watch import FeedWatch
from desk.producer.lanes import Lanes
from desk.producer.overload import OverloadControl
from desk.producer.slot_moves import SlotMoves


class LaneOpening:
    """Opens lanes, and sends the last mark to a lane that lacks it."""

    def __init__(
        self,
        lanes: Lanes,
        moves: SlotMoves,
        overload: OverloadControl,
        feed_watch: FeedWatch,
        states: ProducerStates,
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._moves = moves
        self._overload = overload
        self._feed_watch = feed_watch
        self._states = states
        self._clock = clock

    def open(self, position: ShardPosition, totals: LaneTotals | None) -> Lane:
        """Open a lane to a shard at this position; `totals` as for `Lanes.open`."""
        self._states.join(position.shard, position.durable_mark_ns)
        lane = self._lanes.open(position, totals)
        lane.conflate(on=self._overload.conflating)
        return lane

    def mark(self, shard: int) -> None:
        """Put the last mark of the other lanes into this shard's lane."""
        if self._moves.reached_ns:
            now_ns, degraded = self._clock.wall_ns(), self._overload.hold or self._feed_watch.is_degraded
            second = Mark(self._moves.reached_ns, now_ns, self._feed_watch.lag_ns, 0, degraded)
            self._lanes[shard].put(second)
