"""Finds keys that are set in a plan but have no effect in this run.

They are notes and not errors, so that one plan fits several kinds of run.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from desk.config import plan_schema
from desk.config.plan import ALL, Plan
from desk.config.plan_table import Location, PlanTable


class UnusedKeys(NamedTuple):
    """Dotted keys or whole tables that have no effect if `applies(plan)`, with the reason."""

    keys: tuple[str, ...]
    applies: Callable[[Plan], bool]
    reason: str


def _has_fixed_count(plan: Plan) -> bool:
    return plan.consumers.count > 0


def _is_lossless(plan: Plan) -> bool:
    return plan.feed.is_lossless


def _feed_waits(plan: Plan) -> bool:
    return plan.session.lockstep or _is_lossless(plan)


SCALING_KEYS: Final = ("target_busy", "time_in_queue_ms", "up_delay_s", "down_delay_s")

UNUSED_KEYS: Final = (
    UnusedKeys(
        ("consumers.min", "consumers.max", *(f"consumers.{key}" for key in SCALING_KEYS)),
        _has_fixed_count,
        "the number of consumers is fixed",
    ),
    UnusedKeys(
        tuple(f"consumers.{key}" for key in SCALING_KEYS),
        lambda plan: _feed_waits(plan) and not _has_fixed_count(plan),
        "the feed waits for the consumers, so their number does not follow the load",
    ),
    UnusedKeys(("consumers.rebalance",), _feed_waits, "the feed waits for the consumers, so no symbol has to move"),
    UnusedKeys(("flow.write_timeout_ms",), _is_lossless, "the feed waits while a lane is full, so no trade is dropped"),
    UnusedKeys(
        ("guards.feed_timeout_s",),
        lambda plan: not plan.feed.is_live,
        "the feed is not live, so its connection cannot fail",
    ),
    UnusedKeys(("feed.scanned",), lambda plan: not plan.scanners, "the plan has no scanners"),
    UnusedKeys(
        ("session.lockstep",),
        lambda plan: plan.session.lockstep and not (plan.strategies and _is_lossless(plan)),
        'lockstep is for strategies in a replay at speed = "max"',
    ),
    UnusedKeys(
        ("risk", "broker", "guards.strategy_budget_ms", "guards.hang_s", "guards.memory_mb"),
        lambda plan: not plan.strategies,
        "the plan has no strategies",
    ),
)


def plan_notes(written: Plan, plan: Plan) -> list[str]:
    """Keys of the plan as `written` that have no effect in the run of `plan`: a line for each reason and table."""
    keys = list(_set_keys(written))
    lines: list[str] = []
    for unused in UNUSED_KEYS:
        if unused.applies(plan):
            lines += _lines([key for key in keys if _covers(unused.keys, key)], unused.reason)
    if plan.feed.kind != written.feed.kind:
        dropped: list[Location] = [("feed", *location) for location in written.feed.lost_with(plan.feed.kind)]
        dropped += [("session", "date")] if written.session.date else []
        lines += _lines(dropped, f'DATA_CONNECTOR makes the feed "{plan.feed.kind}"')
    lines += [
        f'[[strategies]] #{index + 1} symbols: "{symbol}" is not in [feed] symbols: no ticks until a scanner adds it'
        for index, symbol in plan.unsubscribed()
        if symbol != ALL
    ]
    return lines


def _lines(keys: list[Location], reason: str) -> Iterator[str]:
    """One line for each table."""
    tables: dict[str, list[str]] = {}
    for key in keys:
        tables.setdefault(plan_schema.spell_location(key[:-1]), []).append(str(key[-1]))
    for table, names in tables.items():
        yield f"{table} {', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect: {reason}"


def _covers(keys: tuple[str, ...], location: Location) -> bool:
    dotted = ".".join(map(str, location))
    return any(dotted == key or dotted.startswith(f"{key}.") for key in keys)


def _set_keys(table: PlanTable, location: Location = ()) -> Iterator[Location]:
    """The keys that are set in a table and its nested tables, in the schema's order; an array of tables is one key."""
    for name in type(table).model_fields:
        if name in table.model_fields_set:
            value = getattr(table, name)
            if isinstance(value, PlanTable):
                yield from _set_keys(value, (*location, name))
            else:
                yield (*location, name)
