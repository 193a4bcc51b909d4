"""The planner: slot moves from slot loads, one observation at a time."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.scaling.balance import SlotMove, next_step
from desk.scaling.slot_assignment import SlotAssignment, level, mean

NOISE: Final = 0.25
"""Relative change below which a slot's load counts as unchanged: more than 1.1 / 0.9 - 1, so that noise of ±10 %
around a constant never counts, and the planner stops moving slots as under constant load."""


class MovePlanner(msgspec.Struct, frozen=True):
    """The thresholds and rates of moves.

    The busiest shard is too busy above `high` times the fair share; after `patience` such observations in a row slots
    move, at most `at_once` per observation, until it is below `target` times the fair share or no move helps. Shards
    being drained lose `drain_at_once` slots per observation, and `fill_at_once` move while a shard has less than half
    of the fair share. A slot's load is smoothed: the newest observation has `weight`.
    """

    high: float = 1.3
    target: float = 1.1
    patience: int = 5
    at_once: int = 8
    drain_at_once: int = 256
    fill_at_once: int = 128
    weight: float = 0.3


class PlannerState(msgspec.Struct, frozen=True):
    """The planner's state between observations.

    `smoothed` and `known` are loads by slot: the running average, and its value at the last change by more than NOISE,
    which decisions use. `hot` counts consecutive observations with a shard that is too busy; `acting`: moves continue
    until the target is reached.
    """

    smoothed: tuple[float, ...] = ()
    known: tuple[float, ...] = ()
    hot: int = 0
    acting: bool = False


def by_slot(loads: Mapping[str, float]) -> dict[int, float]:
    """The loads of slots, from loads of symbols."""
    slots: dict[int, float] = {}
    for symbol, load in sorted(loads.items()):
        slots[slot_of(symbol)] = slots.get(slot_of(symbol), 0.0) + load
    return slots


def plan_moves(
    planner: MovePlanner, state: PlannerState, loads: Mapping[int, float], table: RoutingTable, shards: Iterable[int]
) -> tuple[list[SlotMove], PlannerState]:
    """The moves that follow from this observation, and the state for the next.

    `loads` are slot loads in any unit, not negative; a missing slot has none. `shards` are those that may own slots:
    other shards of the table are drained onto the idlest before loads are balanced. `table` is the routing table in
    force, with pending moves applied. The moves of one observation belong together: between them the greatest load may
    grow. Raises ValueError without shards.
    """
    smoothed, known = _observe(planner, state, loads)
    assignment = SlotAssignment(known, table.shards, shards)
    if not assignment.shards:
        raise ValueError("slots need at least one shard to belong to")
    if set(table.shards).difference(assignment.shards):
        _drain(planner, assignment)
        return _moves(table, assignment), PlannerState(smoothed, known)
    hot = state.hot + 1 if _unfair(planner, assignment) else 0
    acting = state.acting or hot >= planner.patience or not all(assignment.slots[shard] for shard in assignment.shards)
    if not acting:
        return [], PlannerState(smoothed, known, hot)
    _even_out(planner, assignment)
    moves = _moves(table, assignment)
    return moves, PlannerState(smoothed, known, 0 if moves else hot, acting=bool(moves))


def _observe(
    planner: MovePlanner, state: PlannerState, loads: Mapping[int, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Smoothed and known loads after this observation; the first one is not smoothed."""
    seen = tuple(loads.get(slot, 0.0) for slot in range(SLOTS))
    if not state.known:
        return seen, seen
    smoothed = tuple(old + planner.weight * (new - old) for old, new in zip(state.smoothed, seen, strict=True))
    known = tuple(new if abs(new - old) > NOISE * old else old for old, new in zip(state.known, smoothed, strict=True))
    return smoothed, known


def _unfair(planner: MovePlanner, assignment: SlotAssignment) -> bool:
    """Whether a shard that could be relieved is too busy."""
    return level(assignment.shard_loads(assignment.shared())) > planner.high


def _drain(planner: MovePlanner, assignment: SlotAssignment) -> None:
    """Drain the shards that may not own slots, heaviest slots first, each onto the idlest shard."""
    loads = assignment.shard_loads(assignment.shards)
    allowed = frozenset(assignment.shards)
    for leaving in sorted(assignment.slots.keys() - allowed):
        for slot in sorted(assignment.slots[leaving], key=assignment.dear)[: planner.drain_at_once]:
            to = min(assignment.shards, key=lambda shard: (loads[shard], len(assignment.slots[shard]), shard))
            loads[to] += assignment.loads[slot]
            assignment.move(slot, to)


def _even_out(planner: MovePlanner, assignment: SlotAssignment) -> None:
    """Take the steps of one observation, while one helps."""
    moved = 0
    loads = assignment.shard_loads(assignment.shared()).values()
    most = planner.fill_at_once if min(loads) < mean(loads) / 2 else planner.at_once
    while moved < most:
        step = next_step(assignment, planner.target)
        if step is None:
            return
        for slot, to in step.items():
            assignment.move(slot, to)
        moved += len(step)


def _moves(table: RoutingTable, assignment: SlotAssignment) -> list[SlotMove]:
    """The differences between table and assignment, grouped by old and new shard."""
    ways: dict[tuple[int, int], list[int]] = {}
    for slot, (origin, to) in enumerate(zip(table.shards, assignment.owners, strict=True)):
        if origin != to:
            ways.setdefault((origin, to), []).append(slot)
    return [SlotMove(tuple(slots), origin, to) for (origin, to), slots in sorted(ways.items())]
