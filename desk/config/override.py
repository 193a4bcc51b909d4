"""Flag over environment over plan."""

import os
from typing import Final

from pydantic import ValidationError

from desk.config.kinds import FEED_KINDS
from desk.config.plan import Plan, SessionPlan
from desk.config.settings import Settings
from desk.model.errors import PlanError

LIVE: Final = [f'"{name}"' for name, kind in FEED_KINDS.items() if kind.is_live]


def choose_consumers(cores: int, load: float, least: int, most: int) -> int:
    """How many consumers to begin with on so many cores: all but one, which is the producer's, within bounds.

    `load` are the cores that others keep busy, as the load average tells.
    """
    return max(least, min(most, cores - 1 - round(load)))


def first_consumers(plan: Plan) -> int:
    """How many consumers the plan begins with on this machine."""
    consumers = plan.consumers
    return consumers.count or choose_consumers(os.cpu_count() or 1, os.getloadavg()[0], consumers.min, consumers.max)


def override(plan: Plan, settings: Settings, consumers: int | None, day: str | None = None) -> Plan:
    """The plan as it shall run: `consumers` (None = no flag) over NUM_CONSUMERS over the plan's count.

    A count of 0 stays: the load decides. `day` (None = no flag) goes before the plan's date. RAYDESK_TRACE_SAMPLE goes
    before the plan's `trace_sample`. Raises PlanError for what this plan cannot take.
    """
    plan = _connected(plan, settings)
    if settings.trace_sample is not None:
        telemetry = plan.telemetry.model_copy(update={"trace_sample": settings.trace_sample})
        plan = plan.model_copy(update={"telemetry": telemetry})
    if day is not None:
        plan = _of_day(plan, day)
    count = _count(plan, settings, consumers)
    return plan.model_copy(update={"consumers": plan.consumers.model_copy(update={"count": count})})


def _connected(plan: Plan, settings: Settings) -> Plan:
    """The plan with the feed that DATA_CONNECTOR names, if it names one."""
    connector = settings.data_connector
    if connector is None or connector == plan.feed.kind:
        return plan
    if connector not in FEED_KINDS:
        raise PlanError(
            "environment, DATA_CONNECTOR",
            f"`{connector}`",
            f"no value, or {' or '.join(LIVE)}: this release has no such feed",
            "Unset DATA_CONNECTOR.",
        )
    changed = plan.model_dump() | {
        "feed": plan.feed.of_kind(connector),
        "session": plan.session.model_dump() | {"date": ""},
    }
    try:
        return Plan.model_validate(changed)
    except ValidationError as error:
        raise PlanError(
            "environment, DATA_CONNECTOR",
            f"`{connector}`, with which the plan does not fit: {error.errors(include_url=False)[0]['msg']}",
            f'the plan\'s own feed ("{plan.feed.kind}"), or a plan for a live feed',
            "Unset DATA_CONNECTOR, or change the plan.",
        ) from None


def _of_day(plan: Plan, day: str) -> Plan:
    """The plan with its day replaced, "" for none."""
    place = "command line, --date"
    if day and not plan.feed.has_days:
        raise PlanError(
            place,
            f'`{day}` with feed.kind = "{plan.feed.kind}"',
            "no --date: only a tape has days to choose from",
            "Leave it out.",
        )
    try:
        session = SessionPlan.model_validate(plan.session.model_dump() | {"date": day})
    except ValidationError:
        raise PlanError(place, f"`{day}`", "a day that there is, as YYYY-MM-DD", "Correct it.") from None
    return plan.model_copy(update={"session": session})


def _count(plan: Plan, settings: Settings, flag: int | None) -> int:
    if flag is not None:
        return _allowed("command line, --consumers", flag, plan.consumers.max)
    if settings.num_consumers is not None:
        return _allowed("environment, NUM_CONSUMERS", settings.num_consumers, plan.consumers.max)
    return plan.consumers.count


def _allowed(place: str, count: int, most: int) -> int:
    if not 0 <= count <= most:
        raise PlanError(
            place,
            f"`{count}`",
            f"a whole number from 0 (choose) to {most}",
            f"Raise [consumers] max in the plan ({most}) for more.",
        )
    return count
