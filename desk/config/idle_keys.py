"""Keys that are written in a plan and have no effect as it will run: notes, so that one plan can serve several ways."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from desk.config import plan_schema
from desk.config.plan import ALL, Plan
from desk.config.plan_table import Location, PlanTable


class IdleKeys(NamedTuple):
    """Keys, dotted, or whole tables that have no effect `when` the plan is such, and why."""

    keys: tuple[str, ...]
    when: Callable[[Plan], bool]
    why: str


def _is_fixed(plan: Plan) -> bool:
    return plan.consumers.count > 0


def _is_lossless(plan: Plan) -> bool:
    return plan.feed.is_lossless


def _waits(plan: Plan) -> bool:
    return plan.session.lockstep or _is_lossless(plan)


SCALING: Final = ("target_busy", "time_in_queue_ms", "up_delay_s", "down_delay_s")

IDLE: Final = (
    IdleKeys(
        ("consumers.min", "consumers.max", *(f"consumers.{key}" for key in SCALING)),
        _is_fixed,
        "the number of consumers is fixed",
    ),
    IdleKeys(
        tuple(f"consumers.{key}" for key in SCALING),
        lambda plan: _waits(plan) and not _is_fixed(plan),
        "the market waits for the consumers, so that their number does not follow the load",
    ),
    IdleKeys(("consumers.rebalance",), _waits, "the market waits for the consumers, so that no symbol has to move"),
    IdleKeys(("flow.write_timeout_ms",), _is_lossless, "the market waits for the lanes, so that no trade is dropped"),
    IdleKeys(
        ("guards.feed_timeout_s",),
        lambda plan: not plan.feed.is_live,
        "the feed is no live one that could be lost",
    ),
    IdleKeys(
        ("session.lockstep",),
        lambda plan: plan.session.lockstep and not (plan.strategies and _is_lossless(plan)),
        'lockstep is for strategies in a replay at speed = "max"',
    ),
    IdleKeys(
        ("risk", "broker", "guards.strategy_budget_ms", "guards.hang_s", "guards.memory_mb"),
        lambda plan: not plan.strategies,
        "the plan has no strategies",
    ),
)


def plan_notes(written: Plan, plan: Plan) -> list[str]:
    """Keys of the plan as `written` that have no effect when it runs as `plan`; a line for each reason."""
    keys = list(_keys_set(written))
    lines: list[str] = []
    for idle in IDLE:
        if idle.when(plan):
            lines += _lines([key for key in keys if _covers(idle.keys, key)], idle.why)
    if plan.feed.kind != written.feed.kind:
        changed = written.feed.model_copy(update={"kind": plan.feed.kind})
        lost: list[Location] = [("feed", *location) for location, _ in changed.foreign_options()]
        lost += [("session", "date")] if written.session.date else []
        lines += _lines(lost, f'DATA_CONNECTOR makes the feed "{plan.feed.kind}"')
    lines += [
        f"[[strategies]] #{index + 1} symbols: {_subscription(symbol)}, so that it waits for a scanner to add it"
        for index, symbol in plan.unsubscribed()
        if symbol != ALL
    ]
    return lines


def _subscription(symbol: str) -> str:
    return f'"{symbol}" is not in [feed] symbols'


def _lines(keys: list[Location], why: str) -> Iterator[str]:
    """One line for each table in which there are keys."""
    tables: dict[str, list[str]] = {}
    for key in keys:
        tables.setdefault(plan_schema.spell_location(key[:-1]), []).append(str(key[-1]))
    for table, names in tables.items():
        yield f"{table} {', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect: {why}"


def _covers(keys: tuple[str, ...], location: Location) -> bool:
    dotted = ".".join(map(str, location))
    return any(dotted == key or dotted.startswith(f"{key}.") for key in keys)


def _keys_set(table: PlanTable, location: Location = ()) -> Iterator[Location]:
    """The keys that are written in a table and in those below it, but for arrays of tables; in the schema's order."""
    for name in type(table).model_fields:
        if name in table.model_fields_set:
            value = getattr(table, name)
            if isinstance(value, PlanTable):
                yield from _keys_set(value, (*location, name))
            else:
                yield (*location, name)
