"""Repairs gaps of a live feed: requests the missed minutes from the venue's history, and makes items of them."""

from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from desk.model.history import TradesAnswer, TradesQuestion
from desk.model.items import Backfill
from desk.model.records import GapRecord
from desk.model.ticks import Event, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, ceil_to, floor_to
from desk.ports import AckWait, Clock, Wait, Waits
from desk.producer.feed_gaps import EndedGap
from desk.producer.history_inbox import HistoryInbox
from desk.producer.subscriptions import ALL, Subscriptions
from desk.telemetry import formatting
from desk.telemetry.note_board import NoteBoard

REPORTED_NS: Final = 10 * SECOND_NS
"""A market participant has so long to report a trade: trades of so long before a gap may be missing, too."""
SETTLE_NS: Final = 15 * SECOND_NS
"""A minute is requested so long after its end: its late reports are in the history by then."""
NO_WITNESS_NS: Final = 60 * SECOND_NS
"""If no later trade has come from the feed, a minute is requested so long after its end."""
FIRST_RETRY_NS: Final = SECOND_NS
LAST_RETRY_NS: Final = 60 * SECOND_NS
SYMBOLS_AT_ONCE: Final = 50
MOST_ASKED: Final = 2
BYTES_PER_MARK: Final = 512 * 1024
"""So much history enters the lanes at one mark: live ticks do not wait behind more of it."""
FINISH_NS: Final = 5 * SECOND_NS
LOOK_NS: Final = 20 * MS_NS
NO_ANSWER: Final = "the venue's history did not answer in time"


class RepairConfig(msgspec.Struct, frozen=True):
    """A gap is repaired until `limit_ns` (wall time) after its end. `delay_ns` is the feed's delay by design."""

    limit_ns: int = 0
    delay_ns: int = 0


class Repair(msgspec.Struct, array_like=True):
    """Whole minutes of some symbols, by venue time, that belong to the gap from `gap_ns` to `gap_to_ns`.

    `due_ns` and `expires_ns` are the wall times of the next request and of the last. `why` is the reason why the last
    request had no result. `witness` is the first trade received after `to_ns`.
    """

    number: int
    gap_ns: int
    gap_to_ns: int
    from_ns: int
    to_ns: int
    symbols: list[str]
    expires_ns: int
    due_ns: int = 0
    attempts: int = 0
    why: str = ""
    witness: Trade | None = None

    def is_due(self, data_ns: int, now_ns: int, *, up: bool) -> bool:
        """Whether to request it now. `data_ns` is the venue time reached, `up`: the feed is."""
        if self.due_ns > now_ns:
            return False
        if self.witness is not None:
            return data_ns >= self.to_ns + SETTLE_NS
        return up and data_ns >= self.to_ns + NO_WITNESS_NS


class _State(msgspec.Struct, array_like=True):
    """The state of `GapRepairs`. Repairs under way are in it as pending: a repeated one changes nothing."""

    pending: list[Repair] = []
    failed: dict[int, str] = {}
    done: list[int] = []
    last_number: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class GapRepairs:
    """Follows each gap from its end to its repair. Without a `history` it does nothing.

    A gap is repaired by whole minutes, which replace those of the shards: so nothing depends on which trades of a
    minute were received, and a repeated repair changes nothing. Minutes that had ended when the gap did are requested
    first. A request without a result is repeated, with pauses, until the limit.
    """

    def __init__(
        self,
        history: HistoryInbox,
        config: RepairConfig,
        subscriptions: Subscriptions,
        notes: NoteBoard,
        state: bytes = b"",
    ) -> None:
        restored = _decode(state) if state else _State()
        self._history = history if history.is_open and config.limit_ns else None
        self._config = config
        self._subscriptions = subscriptions
        self._notes = notes
        self._pending = {repair.number: repair for repair in restored.pending}
        self._failed = restored.failed
        self._done = restored.done
        self._last_number = restored.last_number
        self._asked: dict[int, int] = {}
        self._ready: deque[tuple[int, Backfill]] = deque()

    @property
    def wants_trades(self) -> bool:
        """Whether a later trade is needed, as the proof that the history reaches beyond a minute."""
        return any(repair.witness is None for repair in self._pending.values())

    def see(self, ticks: Sequence[Event]) -> None:
        """Note the last trade of a frame as a witness."""
        trade = next((tick for tick in reversed(ticks) if type(tick) is Trade), None)
        if trade is not None:
            for repair in self._pending.values():
                if repair.witness is None and trade.ts_ns >= repair.to_ns:
                    repair.witness = trade

    def add(self, gaps: Sequence[EndedGap], refused: Collection[str], now_ns: int) -> None:
        """Begin the repair of gaps that have ended, without the symbols that the venue refuses."""
        if self._history is None or not gaps:
            return
        known = [symbol for symbol in self._subscriptions.symbols if symbol != ALL and symbol not in refused]
        for gap, only in gaps:
            symbols = [only] if only else known
            first_ns = floor_to(gap.from_ns - self._config.delay_ns - REPORTED_NS, MINUTE_NS)
            last_ns = floor_to(gap.to_ns - self._config.delay_ns, MINUTE_NS)
            for from_ns, to_ns in ((first_ns, last_ns), (last_ns, last_ns + MINUTE_NS)):
                for at in range(0, len(symbols) if from_ns < to_ns else 0, SYMBOLS_AT_ONCE):
                    self._last_number += 1
                    self._pending[self._last_number] = Repair(
                        self._last_number,
                        gap.from_ns,
                        gap.to_ns,
                        from_ns,
                        to_ns,
                        symbols[at : at + SYMBOLS_AT_ONCE],
                        now_ns + self._config.limit_ns,
                    )

    def at_mark(self, mark_ns: int, now_ns: int, *, up: bool) -> list[Backfill]:
        """Take answers, request the minutes that are due, and return what enters the lanes now. `up`: the feed is."""
        if self._history is None or not self._pending:
            return []
        self._take_answers(self._history, now_ns)
        data_ns = mark_ns - self._config.delay_ns
        self._ask(self._history, [one for one in self._pending.values() if one.is_due(data_ns, now_ns, up=up)], now_ns)
        return self._items(BYTES_PER_MARK)

    def finish(self, session_ns: int, clock: Clock) -> Waits:
        """Wait a short time for the minutes that are over, at the end of the session."""
        if self._history is None:
            return
        data_ns, now_ns = session_ns - self._config.delay_ns, clock.wall_ns()
        end_ns = now_ns + FINISH_NS
        while left := self._unanswered(ceil_to(data_ns, MINUTE_NS)):
            self._ask(self._history, [repair for repair in left if repair.due_ns <= now_ns], now_ns)
            if now_ns >= end_ns:
                return
            yield Wait(AckWait.LOOK, min(now_ns + LOOK_NS, end_ns))
            now_ns = clock.wall_ns()
            self._take_answers(self._history, now_ns)

    def rest(self) -> list[Backfill]:
        """Everything that still waits to enter the lanes."""
        return self._items(None)

    def is_repaired(self, gap: GapRecord) -> bool:
        """Whether the history of all symbols of this gap has entered the lanes."""
        return gap.from_ns in self._done

    def why_not(self, gap: GapRecord) -> str:
        """Why a gap is not repaired; "" without a history of the feed, and for one whose repair never began."""
        whys = [repair.why for repair in self._pending.values() if repair.gap_ns == gap.from_ns]
        return self._failed.get(gap.from_ns) or next(filter(None, whys), "the run ended before" if whys else "")

    def state(self) -> bytes:
        """The encoded state, for a successor."""
        return _encode(_State(list(self._pending.values()), self._failed, self._done, self._last_number))

    def _unanswered(self, until_ns: int) -> list[Repair]:
        ready = {number for number, _ in self._ready}
        return [one for one in self._pending.values() if one.to_ns <= until_ns and one.number not in ready]

    def _take_answers(self, history: HistoryInbox, now_ns: int) -> None:
        for answer in history.trades():
            asked_ns, repair = self._asked.pop(answer.number, 0), self._pending.get(answer.number)
            if repair is None:
                continue
            if answer.why:
                self._retry(repair, answer.why, now_ns)
            else:
                self._ready.extend((repair.number, item) for item in _backfills(answer, repair, asked_ns))
        for repair in [repair for repair in self._pending.values() if repair.expires_ns <= now_ns]:
            self._give_up(repair)

    def _ask(self, history: HistoryInbox, due: Sequence[Repair], now_ns: int) -> None:
        ready = {number for number, _ in self._ready}
        for repair in due:
            number = repair.number
            if len(self._asked) >= MOST_ASKED:
                return
            if number not in self._asked and number not in ready:
                self._asked[number] = now_ns
                history.ask(TradesQuestion(number, repair.symbols, repair.from_ns, repair.to_ns, repair.witness))

    def _retry(self, repair: Repair, why: str, now_ns: int) -> None:
        if not repair.attempts:
            self._notes.add(f"the gap from {formatting.utc_time(repair.gap_ns)} is not repaired yet: {why}")
        repair.why = why
        repair.due_ns = now_ns + min(FIRST_RETRY_NS << min(repair.attempts, 10), LAST_RETRY_NS)
        repair.attempts += 1

    def _give_up(self, repair: Repair) -> None:
        del self._pending[repair.number]
        self._ready = deque(item for item in self._ready if item[0] != repair.number)
        if repair.gap_ns not in self._failed:
            why = self._failed[repair.gap_ns] = repair.why or NO_ANSWER
            at = formatting.utc_time(repair.gap_ns)
            self._notes.add(f"the gap from {at} stays unrepaired, its minutes partial: {why}", "error")

    def _items(self, most_bytes: int | None) -> list[Backfill]:
        items: list[Backfill] = []
        size = 0
        while self._ready and (most_bytes is None or not items or size < most_bytes):
            number, item = self._ready.popleft()
            items.append(item)
            size += len(item.trades)
            if not self._ready or self._ready[0][0] != number:
                self._complete(number)
        return items

    def _complete(self, number: int) -> None:
        gap_ns = self._pending.pop(number).gap_ns
        if gap_ns in self._failed or any(repair.gap_ns == gap_ns for repair in self._pending.values()):
            return
        self._done.append(gap_ns)
        self._notes.add(f"the gap from {formatting.utc_time(gap_ns)} is repaired from the venue's history", "info")


def _backfills(answer: TradesAnswer, repair: Repair, asked_ns: int) -> list[Backfill]:
    return [
        Backfill(part.symbol, part.from_ns, part.to_ns, part.trades, asked_ns, repair.gap_ns, repair.gap_to_ns)
        for part in answer.parts
    ]
