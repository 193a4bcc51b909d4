"""The unit of a tape's times: raydesk uses ns since the epoch, other writers may use another."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from desk.model.errors import TapeError
from desk.model.units import END_NS, FIRST_NS

UNITS: Final = (("microseconds", 1_000), ("milliseconds", 1_000_000), ("seconds", 1_000_000_000))
PICOSECONDS_PER_NS: Final = 1_000


def is_plausible(time_ns: int) -> bool:
    """Whether market data may have been received at this time."""
    return FIRST_NS <= time_ns < END_NS


def refuse_implausible(place: str, column: str, time: int) -> None:
    """Raise TapeError for a time before 1990 or after 2099, with the unit that the number suggests."""
    if is_plausible(time):
        return
    looks = next(_guesses(time), None)
    if looks is None:
        found = f"`{column}` is {time}, which is the time {_shown(time)} in ns"
        raise TapeError(place, found, _EXPECTED, f"Correct `{column}`.")
    unit, remedy, time_ns = looks
    raise TapeError(
        place,
        f"`{column}` is {time}, which looks like {unit}: {_shown(time_ns)}; in ns it were {_shown(time)}",
        _EXPECTED,
        f"{remedy.format(column=column)}",
    )


_EXPECTED: Final = "ns since 1970, UTC, from 1990 to 2099"


def _guesses(time: int) -> Iterator[tuple[str, str, int]]:
    """Unit, remedy and time in ns, for each unit in which the number is plausible."""
    for unit, factor in UNITS:
        if is_plausible(time * factor):
            yield unit, f"Multiply `{{column}}` by {factor:,}.", time * factor
    if is_plausible(time // PICOSECONDS_PER_NS):
        yield "picoseconds", f"Divide `{{column}}` by {PICOSECONDS_PER_NS:,}.", time // PICOSECONDS_PER_NS


def _shown(time_ns: int) -> str:
    """The time to the second, UTC."""
    return str(np.datetime64(time_ns, "ns").astype("datetime64[s]"))
