"""Requests the bars that symbols need of the past, and makes items of them before the symbols' first callbacks."""

from collections.abc import Sequence
from typing import Final

import msgspec

from desk.model.history import BarsAnswer, BarsQuestion, HistoryNeeds, PastCounts
from desk.model.items import History, Unwatch, Watch
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, floor_to
from desk.ports import AckWait, Clock, Wait, Waits
from desk.producer.history_inbox import HistoryInbox
from desk.telemetry.note_board import NoteBoard

PATIENCE_NS: Final = 30 * SECOND_NS
"""Strategies of a symbol wait so long (wall time) for its history, then start without it."""
LATE_NS: Final = 15 * MINUTE_NS
"""History that comes later than that is not used any more."""
RETRY_NS: Final = SECOND_NS
LAST_RETRY_NS: Final = 30 * SECOND_NS
PUBLISHED_NS: Final = 3 * SECOND_NS
"""A venue has the bar of a minute so long after its end."""
SYMBOLS_AT_ONCE: Final = 50
LOOK_NS: Final = 20 * MS_NS
NO_HISTORY: Final = "the desk has no history of this feed"
NO_ANSWER: Final = "it did not come within 30 s"


class Request(msgspec.Struct, array_like=True):
    """The history of one symbol that is not there yet.

    `ready_ns` is the session time from which it can be requested, `since_ns` the wall time of the first request (0:
    none yet), `due_ns` that of the next one. `started`: its strategies have started without it.
    """

    symbol: str
    counts: PastCounts
    minutes_to_ns: int = 0
    ready_ns: int = 0
    since_ns: int = 0
    due_ns: int = 0
    attempts: int = 0
    started: bool = False
    why: str = ""


class _State(msgspec.Struct, array_like=True):
    watched: list[str] = []
    requests: list[Request] = []
    last_number: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class HistoryRequests:
    """Follows each symbol from its `Watch` to its `History`.

    Without needs it does nothing. A history that fails or is late is repeated for LATE_NS: a later one is applied then.
    """

    def __init__(
        self,
        inbox: HistoryInbox,
        needs: HistoryNeeds,
        notes: NoteBoard,
        delay_ns: int = 0,
        state: bytes = b"",
    ) -> None:
        restored = _decode(state) if state else _State()
        self._inbox = inbox
        self._needs = needs
        self._notes = notes
        self._delay_ns = delay_ns
        self._watched = set(restored.watched)
        self._requests = {request.symbol: request for request in restored.requests}
        self._last_number = restored.last_number
        self._asked: dict[int, list[str]] = {}
        self._ready: list[History] = []

    @property
    def waits(self) -> bool:
        """Whether strategies of any symbol wait for its history."""
        return any(not request.started for request in self._requests.values())

    def expect(self, item: Watch | Unwatch) -> None:
        """Note a symbol that is subscribed, or is not any more; the `Watch` then says whether history follows."""
        if not self._needs:
            return
        symbol = item.symbol
        if isinstance(item, Unwatch):
            self._watched.discard(symbol)
            self._requests.pop(symbol, None)
        elif symbol not in self._watched:
            self._watched.add(symbol)
            request = self._request(item)
            if request is not None:
                self._requests[symbol] = request
                item.history_follows = True

    def ask(self, session_ns: int, now_ns: int) -> None:
        """Request what is due at this session time."""
        asked = {symbol for symbols in self._asked.values() for symbol in symbols}
        groups: dict[tuple[object, ...], list[Request]] = {}
        for symbol, request in self._requests.items():
            if request.ready_ns <= session_ns and request.due_ns <= now_ns and symbol not in asked:
                key = (tuple(request.counts.items()), request.minutes_to_ns)
                groups.setdefault(key, []).append(request)
        for group in groups.values() if self._inbox.is_open else ():
            for first in range(0, len(group), SYMBOLS_AT_ONCE):
                self._ask(group[first : first + SYMBOLS_AT_ONCE])

    def at_mark(self, mark_ns: int, now_ns: int) -> list[History]:
        """Take answers, give up what is too late, and request what is due; return what enters the lanes now."""
        if not self._requests:
            return []
        items = [item for answer in self._inbox.bars() for item in self._take(answer, mark_ns, now_ns)]
        items += self._start_late(mark_ns, now_ns)
        self.ask(mark_ns, now_ns)
        return items

    def wait(self, clock: Clock, session_ns: int) -> Waits:
        """Wait until no strategies wait, for a feed that waits; `take_ready` then returns the items."""
        while self.waits:
            now_ns = clock.wall_ns()
            self._ready += self.at_mark(session_ns, now_ns)
            if self.waits:
                yield Wait(AckWait.LOOK, now_ns + LOOK_NS)

    def take_ready(self) -> list[History]:
        """The items of the last `wait`."""
        ready, self._ready = self._ready, []
        return ready

    def state(self) -> bytes:
        """The encoded state, for a successor. Requests under way are in it: they are repeated."""
        if not self._needs:
            return b""
        return _encode(_State(sorted(self._watched), list(self._requests.values()), self._last_number))

    def _request(self, watch: Watch) -> Request | None:
        counts, minutes_to_ns = self._needs.of(watch.symbol), 0
        data_ns = watch.since_ns - self._delay_ns
        if self._needs.minutes_from_ns and self._needs.minutes_from_ns < floor_to(data_ns, MINUTE_NS):
            minutes_to_ns = floor_to(data_ns, MINUTE_NS)
        if not (counts or minutes_to_ns):
            return None
        ready_ns = minutes_to_ns + PUBLISHED_NS + self._delay_ns if minutes_to_ns else 0
        return Request(watch.symbol, counts, minutes_to_ns, ready_ns)

    def _ask(self, group: Sequence[Request]) -> None:
        self._last_number += 1
        symbols = self._asked[self._last_number] = [request.symbol for request in group]
        needs, first = self._needs, group[0]
        minutes_from_ns = needs.minutes_from_ns if first.minutes_to_ns else 0
        self._inbox.ask(
            BarsQuestion(
                *(self._last_number, symbols, needs.day, needs.day_start_ns, first.counts),
                *(minutes_from_ns, first.minutes_to_ns),
            )
        )

    def _take(self, answer: BarsAnswer, mark_ns: int, now_ns: int) -> list[History]:
        items = []
        for symbol in self._asked.pop(answer.number, ()):
            request = self._requests.get(symbol)
            if request is None:
                continue
            if not answer.why:
                del self._requests[symbol]
                problem = answer.problems.get(symbol, "")
                items.append(History(symbol, mark_ns, answer.bars.get(symbol, {}), not problem, problem))
                continue
            request.why = answer.why
            request.due_ns = now_ns + min(RETRY_NS << min(request.attempts, 10), LAST_RETRY_NS)
            request.attempts += 1
            if not request.counts and not request.started:
                items.append(self._start(request, mark_ns))
        return items

    def _start_late(self, mark_ns: int, now_ns: int) -> list[History]:
        """Start the strategies of symbols that have waited long enough; drop requests that are too late."""
        items = []
        for symbol, request in list(self._requests.items()):
            request.since_ns = request.since_ns or now_ns
            waited_ns = now_ns - request.since_ns
            if not request.started and (waited_ns >= PATIENCE_NS or not self._inbox.is_open):
                items.append(self._start(request, mark_ns))
            if waited_ns >= LATE_NS or not self._inbox.is_open:
                del self._requests[symbol]
        return items

    def _start(self, request: Request, mark_ns: int) -> History:
        """The item that starts a symbol's strategies without its history. Only declared history is missed."""
        request.started = True
        why = (request.why or NO_ANSWER) if self._inbox.is_open else NO_HISTORY
        if not request.counts:
            self._notes.add(f"{request.symbol} starts without the day's earlier minutes: {why}")
        return History(request.symbol, mark_ns, {}, False, why if request.counts else "")
