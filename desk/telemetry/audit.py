"""A shard's audit: counts by class and cause, and faults of strategies.

Tests: tests/desk/consumer/engine/test_guard.py
"""

import traceback
from typing import Self

import msgspec

from desk.model import plain_text
from desk.model.records import BarDifference
from desk.model.ticks import EventClass

MAX_EXAMPLES = 20
MAX_FRAMES = 20
MAX_LINE = 300
MAX_TEXT = 64 * 1024


class StrategyFault(msgspec.Struct, array_like=True):
    """A strategy that raised, or took longer than its budget, in one call.

    `hook` is the hook's name, or "__init__", "checkpoint" or "restore"; "watchdog" for a stop from outside. `what` is
    the fault in one line, `detail` the traceback.
    """

    strategy: str
    symbol: str
    hook: str
    session_ns: int
    what: str
    detail: str = ""


class Audit(msgspec.Struct, array_like=True):
    """Running totals of one shard.

    `repeated` ticks were replayed after they had been applied; they are not in the balance.
    `stopped` holds one fault per instance that was stopped, the first MAX_EXAMPLES with their tracebacks; `slow` the
    first calls above the budget. `lost_trades` and `lost_quotes` were received for this shard and lost in a gap.
    Of `bars_compared` minutes `bars_equal` are equal to the venue's own; `bars_differing` counts differences by field,
    and `bar_differences` are the first MAX_EXAMPLES.
    `without_history` are the symbols whose bars of before the session are missing, each with the reason.
    `backfilled` of the `trades` came from the venue's history. `unrepaired` counts the symbols that it could not
    repair because it is not complete, by the start of the gap.
    """

    trades: int = 0
    quotes: int = 0
    rejected_trades: dict[str, int] = {}
    rejected_quotes: dict[str, int] = {}
    repeated: int = 0
    stopped: list[StrategyFault] = []
    slow_calls: int = 0
    slow: list[StrategyFault] = []
    intents: int = 0
    lost_trades: int = 0
    lost_quotes: int = 0
    notices: int = 0
    rejected_notices: dict[str, int] = {}
    bars_compared: int = 0
    bars_equal: int = 0
    bars_differing: dict[str, int] = {}
    bar_differences: list[BarDifference] = []

    @property
    def applied(self) -> int:
        """Ticks and notices applied."""
        return self.trades + self.quotes + self.notices

    def rejected(self, kind: EventClass) -> dict[str, int]:
        """The events of a class that were rejected, by cause."""
        causes: dict[str, int] = getattr(self, f"rejected_{kind}")
        return causes

    without_history: list[tuple[str, str]] = []
    backfilled: int = 0
    unrepaired: dict[str, int] = {}

    def add(self, other: Self) -> None:
        """Add the counts of another audit."""
        for name in self.__struct_fields__:
            own, more = getattr(self, name), getattr(other, name)
            if isinstance(more, dict):
                for cause, number in more.items():
                    own[cause] = own.get(cause, 0) + number
            else:
                setattr(self, name, own + more)

    def copy(self) -> Self:
        """A copy of the totals."""
        return msgspec.structs.replace(
            self,
            rejected_trades=dict(self.rejected_trades),
            rejected_quotes=dict(self.rejected_quotes),
            unrepaired=dict(self.unrepaired),
            stopped=list(self.stopped),
            slow=list(self.slow),
            rejected_notices=dict(self.rejected_notices),
            bars_differing=dict(self.bars_differing),
            bar_differences=list(self.bar_differences),
            without_history=list(self.without_history),
        )


def count_cause(causes: dict[str, int], cause: str) -> None:
    """Add one to a cause."""
    causes[cause] = causes.get(cause, 0) + 1


def fault_line(fault: BaseException) -> str:
    """The exception's type and message, on one line."""
    told = traceback.format_exception_only(fault)
    # Source lines precede it (SyntaxError), notes follow it.
    line = next(line for line in told if not line.startswith(" "))
    return plain_text.one_line(" ".join(line.split())[:MAX_LINE])


def fault_trace(fault: BaseException) -> str:
    """The traceback's last frames, cut at MAX_TEXT characters: a strategy's recursion may be a thousand deep."""
    return cut_text(plain_text.trace(fault, MAX_FRAMES))


def cut_text(text: str) -> str:
    """The text, cut at MAX_TEXT characters: its start, and its end, which has the exception's name."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2 - 64
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
