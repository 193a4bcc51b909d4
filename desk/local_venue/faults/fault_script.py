"""Reads a fault script: a TOML file with a seed and a list of faults."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from desk.local_venue.faults.fault_kinds import AT, KIND_OF_NAME, STEPS, FaultKind, Parameter, moment_keys
from desk.local_venue.server_protocol import Step
from desk.model.errors import PlanError
from desk.model.units import SECOND_NS

DEFAULT_ZONE: Final = "America/New_York"
MAX_SHOWN: Final = 60
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a script: its kind, its moment, and the values of its kind's parameters.

    `at` is in seconds since the start of the play, or a time of day; `for_s` 0 is to the end, `connection` 0 any.
    """

    number: int
    kind: FaultKind
    step: Step
    at: float | str = 0.0
    for_s: float = 0.0
    connection: int = 0
    after_events: int = 0
    times: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that it concerns; empty for all."""
        return frozenset(self.values.get("symbols", ()))


@dataclass(frozen=True, slots=True)
class FaultScript:
    """Faults in the order of the file. `zone` is that of the times of day."""

    faults: tuple[Fault, ...] = ()
    seed: int = 1
    zone: str = DEFAULT_ZONE
    place: str = "faults"

    def start_ns(self, fault: Fault, play_start_ns: int) -> int:
        """When the fault happens or begins, in ns of session time since the start of the play.

        A time of day is on the day on which the play starts. Raises PlanError if it is before that.
        """
        if not isinstance(fault.at, str):
            return int(fault.at * SECOND_NS)
        zone = ZoneInfo(self.zone)
        started = datetime.fromtimestamp(play_start_ns / SECOND_NS, zone)
        wanted = datetime.combine(started.date(), time.fromisoformat(fault.at), zone)
        since_ns = int(wanted.timestamp()) * SECOND_NS - play_start_ns
        if since_ns < 0:
            raise PlanError(
                f"{self.place}, {_spell(fault.number, fault.kind.name)}, at",
                f"`{fault.at}`, which is before the market data start ({started:%H:%M:%S} {self.zone})",
                "a later time of day, or seconds since the start",
                "Correct it.",
            )
        return since_ns


def load_faults(path: Path) -> FaultScript:
    """Read a fault script. Raises PlanError for any fault in it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        found = f"it cannot be read: {error.strerror or error}"
        raise PlanError(str(path), found, "a fault script (TOML)", "Check the path.") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}, byte {error.start}", "not UTF-8", "TOML, which is UTF-8 text") from None
    return parse_faults(text, str(path))


def parse_faults(text: str, place: str) -> FaultScript:
    """A fault script from its text; `place` names it in errors. Raises PlanError."""
    try:
        raw = tomllib.loads(text)
    except ValueError as error:
        raise PlanError(place, str(error), "TOML", "Put text in quotes; `#` starts a comment.") from None
    _require_known(raw, ("seed", "zone", "faults"), place, "")
    seed, zone, entries = raw.get("seed", 1), raw.get("zone", DEFAULT_ZONE), raw.get("faults", [])
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise _wrong(f"{place}, seed", seed, "a whole number ≥ 0")
    if not _is_zone(zone):
        raise _wrong(f"{place}, zone", zone, f'the name of a time zone, such as "{DEFAULT_ZONE}"')
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PlanError(f"{place}, faults", "not a list of tables", "[[faults]]", "Write each fault as [[faults]].")
    faults = tuple(_fault(number, entry, place) for number, entry in enumerate(entries, 1))
    return FaultScript(faults, seed, zone, place)


def _fault(number: int, entry: dict[str, Any], place: str) -> Fault:
    name = entry.get("kind")
    where = f"{place}, {_spell(number, name if isinstance(name, str) else '')}"
    kind = KIND_OF_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(KIND_OF_NAME)
        remedy = "Add the key." if name is None else _guess(str(name), tuple(KIND_OF_NAME))
        raise PlanError(f"{where}, kind", "missing" if name is None else _shown(name), f"one of {known}", remedy)
    keys = moment_keys(kind)
    steps = len(kind.steps) > 1
    allowed = ("kind", *(["step"] if steps else []), *(each.name for each in (*keys, *kind.parameters)))
    _require_known(entry, allowed, where, f" of a fault of kind {kind.name}")
    moment = {key.name: _value(entry, key, where) for key in keys}
    _check_time(moment["at"], where)
    values = {each.name: _value(entry, each, where) for each in kind.parameters}
    if "down" in values and values["down"] > values["up"]:
        raise _wrong(f"{where}, down", values["down"], "a price up to `up`")
    return Fault(number, kind, _step(entry, kind, where), values=values, **moment)


def _step(entry: dict[str, Any], kind: FaultKind, where: str) -> Step:
    step = entry.get("step", kind.steps[0] if kind.steps else "data")
    for known in STEPS:
        if step == known and (known in kind.steps or not kind.steps):
            return known
    raise _wrong(f"{where}, step", step, f"one of {', '.join(kind.steps)}")


def _value(entry: dict[str, Any], key: Parameter, where: str) -> Any:
    value = entry.get(key.name, key.default)
    if value is None:
        raise PlanError(f"{where}, {key.name}", "missing", key.words, f"Add it: {key.about}.")
    if key.name in entry and not (key.is_right(value) and value == value):  # noqa: PLR0124  not NaN
        raise _wrong(f"{where}, {key.name}", value, key.words, f"Meaning of `{key.name}`: {key.about}.")
    return value


def _check_time(at: object, where: str) -> None:
    is_text = isinstance(at, str) and _TIME_OF_DAY.fullmatch(at)
    is_number = isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 1e9
    if not (is_text or is_number):
        raise _wrong(f"{where}, at", at, AT.words)


def _require_known(table: dict[str, Any], known: tuple[str, ...], place: str, what: str) -> None:
    for key in table:
        if key not in known:
            expected = f"one of {', '.join(known)}"
            raise PlanError(place, f"unknown key `{key}`{what}", expected, _guess(key, known))


def _guess(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else "Leave it out."


def _wrong(place: str, found: object, expected: str, remedy: str = "Correct it.") -> PlanError:
    return PlanError(place, _shown(found), expected, remedy)


def _shown(value: object) -> str:
    text = "a time" if isinstance(value, date | time) else f"`{value!r}`"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _spell(number: int, kind: str) -> str:
    return f"[[faults]] {number}" + (f" ({kind})" if kind else "")


def _is_zone(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
