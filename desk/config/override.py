"""Overrides of the plan: flags take precedence over the environment, and the environment over the plan."""

import os

from pydantic import ValidationError

from desk.config.plan import Plan
from desk.config.session_plan import SessionPlan
from desk.config.settings import Settings
from desk.model.errors import PlanError


def choose_consumers(cores: int, load: float, least: int, most: int) -> int:
    """Choose a number of consumers from `least` to `most`: one for each free core, less one core for the producer.

    `load` is the number of cores that other processes keep busy, such as the load average.
    """
    return max(least, min(most, cores - 1 - round(load)))


def initial_consumers(plan: Plan) -> int:
    """The number of consumers at the start of the plan on this machine."""
    consumers = plan.consumers
    return consumers.count or choose_consumers(os.cpu_count() or 1, os.getloadavg()[0], consumers.min, consumers.max)


def override(plan: Plan, settings: Settings, consumers: int | None, day: str | None = None) -> Plan:
    """Apply the flags `consumers` and `day` (None = not set), and variables of the environment, to the plan.

    The variables are NUM_CONSUMERS, DATA_CONNECTOR and RAYDESK_TRACE_SAMPLE. A count of 0 stays 0: the number of
    consumers follows the load. Raises PlanError for a value that does not fit the plan.
    """
    plan = _with_connector(plan, settings)
    if settings.trace_sample is not None:
        telemetry = plan.telemetry.model_copy(update={"trace_sample": settings.trace_sample})
        plan = plan.model_copy(update={"telemetry": telemetry})
    if day is not None:
        plan = _with_day(plan, day)
    count = _consumer_count(plan, settings, consumers)
    return plan.model_copy(update={"consumers": plan.consumers.model_copy(update={"count": count})})


def _with_connector(plan: Plan, settings: Settings) -> Plan:
    """The plan with the feed that DATA_CONNECTOR names."""
    connector = settings.data_connector
    if connector is None or connector == plan.feed.kind:
        return plan
    changed = plan.model_dump() | {
        "feed": plan.feed.with_kind(connector),
        "session": plan.session.model_dump(exclude_unset=True) | {"date": ""},
    }
    try:
        return Plan.model_validate(changed)
    except ValidationError as error:
        raise PlanError(
            "environment, DATA_CONNECTOR",
            f"`{connector}`, which does not fit the plan: {error.errors(include_url=False)[0]['msg']}",
            f'the plan\'s own feed ("{plan.feed.kind}"), or a plan for a live feed',
            "Unset DATA_CONNECTOR, or change the plan.",
        ) from None


def _with_day(plan: Plan, day: str) -> Plan:
    """The plan with another day; "" = no day."""
    place = "command line, --date"
    if day and not plan.feed.has_days:
        raise PlanError(
            place,
            f'`{day}` with feed.kind = "{plan.feed.kind}"',
            "no --date: only a tape has several days",
            "Leave it out.",
        )
    try:
        session = SessionPlan.model_validate(plan.session.model_dump() | {"date": day})
    except ValidationError:
        raise PlanError(place, f"`{day}`", "a calendar day as YYYY-MM-DD", "Correct it.") from None
    return plan.model_copy(update={"session": session})


def _consumer_count(plan: Plan, settings: Settings, flag: int | None) -> int:
    if flag is not None:
        return _require_count("command line, --consumers", flag, plan.consumers.max)
    if settings.num_consumers is not None:
        return _require_count("environment, NUM_CONSUMERS", settings.num_consumers, plan.consumers.max)
    return plan.consumers.count


def _require_count(place: str, count: int, most: int) -> int:
    if not 0 <= count <= most:
        raise PlanError(
            place,
            f"`{count}`",
            f"a whole number from 0 (= follows the load) to {most}",
            f"For more than {most}, raise [consumers] max in the plan.",
        )
    return count
