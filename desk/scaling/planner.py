"""The planner: from what slots cost to which slots should move, one observation at a time."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.scaling.balance import SlotMove, next_step
from desk.scaling.slot_assignment import SlotAssignment, level, mean

NOISE: Final = 0.25
"""Relative change below which a slot's load counts as unchanged: more than 1.1 / 0.9 - 1, so that noise of ±10 %
around a constant never counts, and the planner comes to rest as it does under constant load."""


class MovePlanner(msgspec.Struct, frozen=True):
    """How soon and how much is moved.

    The busiest shard is too busy above `high` times the fair share; after `patience` observations in a row slots go,
    at most `at_once` per observation, until it is below `target` times the fair share or nothing helps. Shards to be
    emptied lose `drain_at_once` slots per observation, and `fill_at_once` go while a shard has less than half of the
    fair share. A slot's load is smoothed: the newest observation has `weight`.
    """

    high: float = 1.3
    target: float = 1.1
    patience: int = 5
    at_once: int = 8
    drain_at_once: int = 256
    fill_at_once: int = 128
    weight: float = 0.3


class PlannerState(msgspec.Struct, frozen=True):
    """What the planner remembers between observations; a fresh one to begin with.

    `smoothed` and `known` are loads by slot: the running average, and what it was when it last changed by more than
    NOISE, by which everything is decided. `hot` counts the observations in a row in which some shard was too busy;
    `acting` says that moves are under way until the target is reached.
    """

    smoothed: tuple[float, ...] = ()
    known: tuple[float, ...] = ()
    hot: int = 0
    acting: bool = False


def by_slot(loads: Mapping[str, float]) -> dict[int, float]:
    """Loads of symbols as loads of their slots."""
    slots: dict[int, float] = {}
    for symbol, load in sorted(loads.items()):
        slots[slot_of(symbol)] = slots.get(slot_of(symbol), 0.0) + load
    return slots


def plan_moves(
    planner: MovePlanner, state: PlannerState, loads: Mapping[int, float], table: RoutingTable, shards: Iterable[int]
) -> tuple[list[SlotMove], PlannerState]:
    """The moves that this observation calls for, and the state for the next.

    `loads` are what slots cost, in any unit, 0 or more; a slot that is not named costs nothing. `shards` are those
    that may own slots: whatever else the table names is emptied, onto the idlest, before anything is evened out. The
    table is the one in force, with the moves under way as if they were done. Moves of one observation belong
    together: between them the greatest load may grow. Raises ValueError without shards.
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
    """Smoothed and known loads after this observation; the first is taken as it is."""
    seen = tuple(loads.get(slot, 0.0) for slot in range(SLOTS))
    if not state.known:
        return seen, seen
    smoothed = tuple(old + planner.weight * (new - old) for old, new in zip(state.smoothed, seen, strict=True))
    known = tuple(new if abs(new - old) > NOISE * old else old for old, new in zip(state.known, smoothed, strict=True))
    return smoothed, known


def _unfair(planner: MovePlanner, assignment: SlotAssignment) -> bool:
    """Whether a shard that could share is too busy."""
    return level(assignment.shard_loads(assignment.shared())) > planner.high


def _drain(planner: MovePlanner, assignment: SlotAssignment) -> None:
    """Empty the shards that may own nothing, dearest slots first, each onto the idlest shard."""
    loads = assignment.shard_loads(assignment.shards)
    allowed = frozenset(assignment.shards)
    for leaving in sorted(assignment.slots.keys() - allowed):
        for slot in sorted(assignment.slots[leaving], key=assignment.dear)[: planner.drain_at_once]:
            to = min(assignment.shards, key=lambda shard: (loads[shard], len(assignment.slots[shard]), shard))
            loads[to] += assignment.loads[slot]
            assignment.move(slot, to)


def _even_out(planner: MovePlanner, assignment: SlotAssignment) -> None:
    """Take the steps of one observation, as long as there is one that helps."""
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
    """What differs between the table and the board, by where it goes from and to."""
    ways: dict[tuple[int, int], list[int]] = {}
    for slot, (origin, to) in enumerate(zip(table.shards, assignment.owners, strict=True)):
        if origin != to:
            ways.setdefault((origin, to), []).append(slot)
    return [SlotMove(tuple(slots), origin, to) for (origin, to), slots in sorted(ways.items())]
