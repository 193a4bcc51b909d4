"""The remembered trades of one symbol: to detect duplicates, and to apply corrections and cancels.

Theory. A minute from which a trade is taken out cannot be computed from its bar alone: its high may have been that
trade's. So the newest trades are kept, encoded, in the order of their arrival. A trade that is evicted, by age or by
number, cannot be revised any more; it is folded into the base of its minute. The base holds all evicted trades of the
minute. A minute is its base, with the remembered trades that stand folded in by order of arrival: bit for bit the fold
of all surviving trades.

The oldest trade is always evicted first, so `from_ordinal` defines the content. The memory is restored exactly from
`from_ordinal`, the bases and a log of remembered and revised trades, and need not be in every checkpoint.

Tests: tests/desk/consumer/engine/test_revisions.py, tests/desk/scanning/test_market_view_revisions.py
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from desk.bars.folding import count_in
from desk.bars.minute_repair import CompleteMinute, KnownTrade
from desk.bars.reference_price import newest_print
from desk.bars.trade_identity import PackedIdentities, identity, pack_identities, unpack_identities, venues
from desk.model.bars import BarFields, WorkingBar
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.ticks import Cancel, Correction, Revision, Trade
from desk.model.units import MINUTE_NS, floor_to

MOST: Final = 2_048
AT_ONCE: Final = 256
"""The number of oldest trades that are evicted at once when there are more than MOST."""
LATE_NS: Final = 15 * MINUTE_NS
"""A trade is kept this long after its minute's last revision: corrections of it are `late`, not `unmatched`."""
LOGGED_NS: Final = 2 * MINUTE_NS
"""Entries logged this long before the oldest time of the memory have been evicted: see `RememberedTrades.forget`."""
ARRAY_32: Final = b"\xdd"
BEFORE_SPLIT: Final = -2
AFTER_SPLIT: Final = -1
"""Keys of the bases of the two parts of the split minute; other keys are a minute's start."""


class TradeVersions(msgspec.Struct, array_like=True, tag="v", gc=False):
    """A revised trade: as it arrived, as it stands (None: cancelled), and its earlier ids."""

    first: Trade
    now: Trade | None
    ids: list[int]


class TradeMemory(msgspec.Struct, array_like=True):
    """A memory in a snapshot. A slot move includes the entries; a checkpoint leaves them to the keeper's log.

    `fetched` are the identities of trades that came from the venue's history.
    """

    from_ordinal: int
    bases: list[WorkingBar]
    earlier: Trade | None
    count: int = 0
    entries: bytes = b""
    earlier_print: Trade | None = None
    fetched: list[PackedIdentities] = []


class RevisionOutcome(NamedTuple):
    """The outcome of a correction or cancel: a cause if it was rejected, else the trade before and after."""

    cause: str = ""
    old: Trade | None = None
    new: Trade | None = None


UNMATCHED: Final = RevisionOutcome("unmatched")
LATE: Final = RevisionOutcome("late")
DUPLICATE: Final = RevisionOutcome("duplicate")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Trade | TradeVersions).decode
_decode_all = msgspec.msgpack.Decoder(list[Trade | TradeVersions]).decode
_decode_memory = msgspec.msgpack.Decoder(TradeMemory).decode


class RememberedTrades:
    """The trades from `from_ordinal` on, at most MOST of them, and the bases of their minutes.

    `minutes` are the existing bars. `earlier` is the last trade before these, and `earlier_print` the newest one that
    may set a price. With `split_ns`, a time within a minute, the two parts of that minute have separate bases.
    `unsaved` are the entries that the keeper does not have; None where there is no keeper.
    """

    __slots__ = (
        "_aliases",
        "_bases",
        "_entries",
        "_fetched",
        "_split_ns",
        "earlier",
        "earlier_print",
        "from_ordinal",
        "unsaved",
    )

    def __init__(
        self,
        from_ordinal: int,
        minutes: Iterable[BarFields] = (),
        earlier: Trade | None = None,
        earlier_print: Trade | None = None,
        *,
        split_ns: int | None = None,
        saving: bool = True,
    ) -> None:
        self.from_ordinal = from_ordinal
        self.earlier = earlier
        self.earlier_print = earlier_print
        self.unsaved: list[bytes] | None = [] if saving else None
        self._entries: dict[int, bytes] = {}
        self._aliases: dict[int, int] = {}
        self._fetched: dict[int, int] = {}
        self._bases = {bar.minute_ns: WorkingBar.of(bar) for bar in minutes}
        self._split_ns = split_ns

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, trade: Trade) -> bool:
        """Remember a trade; False, without any change, if its identity is known."""
        trade_id = trade.trade_id
        key = trade_id << 16 | venues[trade.exchange, trade.tape] if trade_id else -trade.ordinal - 1
        entries = self._entries
        if key in entries or key in self._aliases or key in self._fetched:
            return False
        packed = entries[key] = _encode(trade)
        unsaved = self.unsaved
        if unsaved is not None:
            unsaved.append(packed)
            if len(unsaved) > 2 * MOST:
                self.unsaved = list(entries.values())
        if len(entries) > MOST:
            self._leave(AT_ONCE)
        return True

    def revise(self, revision: Revision, revisable_from_ns: int) -> RevisionOutcome:
        """Correct or cancel a trade. A correction to the identity of another trade does not change that other trade."""
        key = identity(revision.original_id, revision.exchange, revision.tape)
        at = key if key in self._entries else self._aliases.get(key)
        if at is None or not revision.original_id:
            return LATE if revision.ts_ns < revisable_from_ns else UNMATCHED
        entry = _versions(_decode(self._entries[at]))
        if self._is_done(revision, entry, at):
            return DUPLICATE
        old = entry.now
        if old is None or old.trade_id != revision.original_id:
            return UNMATCHED
        if old.ts_ns < revisable_from_ns:
            return LATE
        entry.ids.append(old.trade_id)
        entry.now = self._corrected(revision, old, at) if isinstance(revision, Correction) else None
        packed = self._entries[at] = _encode(entry)
        if self.unsaved is not None:
            self.unsaved.append(packed)
        return RevisionOutcome("", old, entry.now)

    def put_base(self, bar: BarFields) -> None:
        """Begin a minute without remembered trades with this bar."""
        self._bases[bar.minute_ns] = WorkingBar.of(bar)

    def by_minute(self, from_ns: int, to_ns: int) -> dict[int, dict[int, KnownTrade]]:
        """The remembered trades in [from_ns, to_ns) by minute and identity."""
        found: dict[int, dict[int, KnownTrade]] = {}
        for key, packed in self._entries.items():
            entry = _versions(_decode(packed))
            if from_ns <= entry.first.ts_ns < to_ns:
                minute = found.setdefault(floor_to(entry.first.ts_ns, MINUTE_NS), {})
                minute[key] = KnownTrade(entry.first.received_ns, entry.now)
        return found

    @property
    def aliases(self) -> Mapping[int, int]:
        """Other identities of remembered trades, which corrections gave them."""
        return self._aliases

    def complete(self, minute: CompleteMinute, until_ns: int) -> None:
        """Take over a minute from the venue's history.

        Until the session time `until_ns` a trade of it that is still under way counts as known.
        """
        self._bases[minute.base.minute_ns] = minute.base
        self._fetched |= dict.fromkeys(minute.unknown, until_ns)

    def saw_print(self, trade: Trade) -> None:
        """Note a trade of the venue's history: it may be the newest that may set a price."""
        self.earlier_print = newest_print(self.earlier_print, trade)

    def fold(self, minute_ns: int) -> WorkingBar:
        """The bar of the minute that starts at `minute_ns`: its base and the trades that stand."""
        return self._fold(minute_ns, minute_ns, minute_ns + MINUTE_NS)

    def fold_part(self, *, in_session: bool) -> WorkingBar:
        """The bar of one part of the split minute: from the split on (`in_session`), or before it."""
        split_ns = self._split_ns
        assert split_ns is not None, "a part of a minute that is not split"
        minute_ns = floor_to(split_ns, MINUTE_NS)
        if in_session:
            return self._fold(AFTER_SPLIT, split_ns, minute_ns + MINUTE_NS)
        return self._fold(BEFORE_SPLIT, minute_ns, split_ns)

    def _fold(self, base_of: int, from_ns: int, to_ns: int) -> WorkingBar:
        base = self._bases.get(base_of)
        bar = WorkingBar("", from_ns) if base is None else WorkingBar.of(base)
        for trade in self.standing():
            if from_ns <= trade.ts_ns < to_ns:
                count_in(bar, trade)
        return bar

    def standing(self) -> Iterator[Trade]:
        """The remembered trades that stand, as revised, in the order of arrival."""
        for packed in self._entries.values():
            now = _versions(_decode(packed)).now
            if now is not None:
                yield now

    def last(self) -> Trade | None:
        """The last standing trade by order of arrival."""
        for packed in reversed(self._entries.values()):
            now = _versions(_decode(packed)).now
            if now is not None:
                return now
        return self.earlier

    def last_print(self) -> Trade | None:
        """The newest standing trade by venue time that may set a price."""
        newest = self.earlier_print
        for trade in self.standing():
            newest = newest_print(newest, trade)
        return newest

    def forget(self, revisable_from_ns: int, now_ns: int) -> None:
        """Evict the oldest trades while they are too old to be revised, or ahead of the session by more than a minute.

        Eviction stops at the first trade that is neither. So a trade remembered at some time is evicted when the oldest
        useful time is a minute later.
        """
        oldest_ns, newest_ns = revisable_from_ns - LATE_NS, now_ns + MINUTE_NS
        count = 0
        for packed in self._entries.values():
            if oldest_ns <= _versions(_decode(packed)).first.ts_ns <= newest_ns:
                break
            count += 1
        self._leave(count, revisable_from_ns)
        if self._fetched:
            self._fetched = {key: until_ns for key, until_ns in self._fetched.items() if until_ns > now_ns}
        if self._bases:
            first_ns = floor_to(revisable_from_ns, MINUTE_NS)
            self._bases = {minute_ns: bar for minute_ns, bar in self._bases.items() if not 0 <= minute_ns < first_ns}

    def take_unsaved(self) -> LoggedTrades:
        """Trades remembered or revised since the last call."""
        taken, self.unsaved = self.unsaved or [], []
        return LoggedTrades(len(taken), b"".join(taken))

    def state(self, *, whole: bool) -> TradeMemory:
        """The memory for a snapshot, with its entries if `whole`."""
        entries = self._entries.values() if whole else ()
        bases = [self._bases[minute_ns] for minute_ns in sorted(self._bases) if minute_ns >= 0]
        packed = b"".join(entries)
        fetched = pack_identities(self._fetched)
        return TradeMemory(self.from_ordinal, bases, self.earlier, len(entries), packed, self.earlier_print, fetched)

    def packed(self) -> bytes:
        """The whole memory, encoded, as `unpack_trades` reads it."""
        return _encode(self.state(whole=True))

    def _leave(self, count: int, revisable_from_ns: int = 0) -> None:
        """Evict the oldest trades; fold those whose minute may still be revised into its base."""
        entries = self._entries
        for key in list(islice(entries, count)):
            entry = _decode(entries.pop(key))
            now: Trade | None
            if type(entry) is Trade:
                now, self.from_ordinal = entry, entry.ordinal + 1
            else:
                now = self._leave_revised(_versions(entry))
            if now is None:
                continue
            self.earlier = now
            self.earlier_print = newest_print(self.earlier_print, now)
            if now.ts_ns >= revisable_from_ns:
                base = self._bases.get(now.ts_ns - now.ts_ns % MINUTE_NS)
                if base is None or self._split_ns is not None:
                    self._count_in_base(now)
                else:
                    count_in(base, now)

    def _leave_revised(self, entry: TradeVersions) -> Trade | None:
        """Evict a revised trade with all its ids; the trade as it stands."""
        first, now = entry.first, entry.now
        self.from_ordinal = first.ordinal + 1
        for trade_id in entry.ids if now is None else [*entry.ids, now.trade_id]:
            self._aliases.pop(identity(trade_id, first.exchange, first.tape), None)
        return now

    def _count_in_base(self, trade: Trade) -> None:
        minute_ns, split_ns = floor_to(trade.ts_ns, MINUTE_NS), self._split_ns
        bases = [minute_ns]
        if split_ns is not None and floor_to(split_ns, MINUTE_NS) == minute_ns:
            bases.append(AFTER_SPLIT if trade.ts_ns >= split_ns else BEFORE_SPLIT)
        for base_of in bases:
            if base_of not in self._bases:
                self._bases[base_of] = WorkingBar("", base_of)
            count_in(self._bases[base_of], trade)

    def _corrected(self, correction: Correction, old: Trade, at: int) -> Trade | None:
        """The corrected trade, at its old place; None if another trade already has the corrected identity."""
        if self._is_another(correction, at):
            return None
        key = identity(correction.trade_id, correction.exchange, correction.tape)
        if correction.trade_id and key != at:
            self._aliases[key] = at
        return msgspec.structs.replace(
            old,
            price=correction.price,
            size=correction.size,
            conditions=correction.conditions,
            trade_id=correction.trade_id,
        )

    def _is_another(self, correction: Correction, at: int) -> bool:
        """Whether the corrected identity belongs to a trade other than the one at this key."""
        key = identity(correction.trade_id, correction.exchange, correction.tape)
        known = key if key in self._entries else self._aliases.get(key)
        return correction.trade_id > 0 and known is not None and known != at

    def _is_done(self, revision: Revision, entry: TradeVersions, at: int) -> bool:
        """Whether this revision has already been applied to the trade."""
        if revision.original_id not in entry.ids:
            return False
        now = entry.now
        if now is None:
            removes = isinstance(revision, Cancel) or self._is_another(revision, at)
            return removes and entry.ids[-1] == revision.original_id
        return isinstance(revision, Correction) and (now.trade_id, now.price, now.size, now.conditions) == (
            revision.trade_id,
            revision.price,
            revision.size,
            revision.conditions,
        )

    def put_back(self, entries: Iterable[Trade | TradeVersions]) -> None:
        """Restore entries from a log or a snapshot; of several entries of one trade the last counts."""
        found = {_versions(entry).first.ordinal: entry for entry in entries}
        for ordinal in sorted(found):
            if ordinal < self.from_ordinal:
                continue
            entry = _versions(found[ordinal])
            first = entry.first
            key = identity(first.trade_id, first.exchange, first.tape) if first.trade_id else -ordinal - 1
            self._entries[key] = _encode(found[ordinal])
            ids = entry.ids if entry.now is None else [*entry.ids, entry.now.trade_id]
            for trade_id in ids:
                alias = identity(trade_id, first.exchange, first.tape)
                if trade_id and alias != key:
                    self._aliases[alias] = key


def restore_trades(kept: TradeMemory, logged: LoggedTrades = NO_TRADES) -> RememberedTrades:
    """The memory of a snapshot. Its entries come from the snapshot (then they are unsaved) or from the keeper's log.

    Raises msgspec.MsgspecError.
    """
    memory = RememberedTrades(kept.from_ordinal, kept.bases, kept.earlier, kept.earlier_print)
    memory._fetched = unpack_identities(kept.fetched)  # noqa: SLF001 - a second way to build it
    memory.put_back(_decode_all(_as_array(logged.count, logged.entries)))
    if kept.count:
        memory.put_back(_decode_all(_as_array(kept.count, kept.entries)))
        memory.unsaved = list(memory._entries.values())  # noqa: SLF001 - a second way to build it
    return memory


def unpack_trades(remembered: bytes) -> RememberedTrades | None:
    """The memory that `packed` encoded; None for empty bytes. Raises msgspec.MsgspecError."""
    return restore_trades(_decode_memory(remembered)) if remembered else None


def _as_array(count: int, entries: bytes) -> bytes:
    """Concatenated encoded entries as one MessagePack array."""
    return ARRAY_32 + count.to_bytes(4, "big") + entries


def _versions(entry: Trade | TradeVersions) -> TradeVersions:
    return entry if isinstance(entry, TradeVersions) else TradeVersions(entry, entry, [])
