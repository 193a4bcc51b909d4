"""An oracle for a desk on a live feed: why entries are refused at a mark, from socket, venue and frames.

It shares no figure with the desk's own judgement. Waits are measured in wall time; a clock that is set changes none.
"""

from collections.abc import Callable, Generator
from typing import Any

from desk.feeds.live.socket_feed import SocketFeed
from desk.model.ticks import REVISIONS, Frame
from desk.model.units import SECOND_NS

SLACK_NS = SECOND_NS


class EntryOracle:
    """Listens to a feed's socket and looks at every frame before the desk does.

    `reasons` holds what speaks against entries by the session time of the mark; `granted` says whether the venue has
    granted a subscription on a connection that it has not ended. `clock_ns` is the wall time of the venue's last sound
    answer for its clock, None without such a clock; `clock_failed` whether another one followed.
    """

    def __init__(
        self,
        live: SocketFeed,
        wall_ns: Callable[[], int],
        granted: Callable[[], bool],
        max_age_ns: int,
        timeout_ns: int,
    ) -> None:
        self.reasons: dict[int, list[str]] = {}
        self.clock_ns: int | None = None
        self.clock_failed = False
        self._live = live
        self._wall_ns = wall_ns
        self._granted = granted
        self._max_age_ns = max_age_ns
        self._timeout_ns = timeout_ns
        self._open = False
        self._proof_ns = self._handed_ns = wall_ns()
        self._sound_ns: int | None = None  # session time of the last read of use: its lag counts from there
        self._lag_ns = self._doubt_ns = 0
        self._rejected = 0
        self._listen(live._socket)
        read = live.read
        live.read = lambda: self._seen(read())  # type: ignore[method-assign]

    def _listen(self, socket: Any) -> None:
        def before(name: str, note: Callable[[], None]) -> None:
            inner = getattr(socket, name)

            def noting(*args: Any, **more: Any) -> Any:
                note()
                return inner(*args, **more)

            setattr(socket, name, noting)

        before("on_open", self._opened)
        before("on_message", self._proved)
        before("on_pong", self._proved)
        before("on_end", self._ended)
        before("turn", self._handed)

    def _opened(self) -> None:
        self._open = True

    def _ended(self) -> None:
        self._open = False

    def _proved(self) -> None:
        self._proof_ns = self._wall_ns()

    def _handed(self) -> None:
        """Another read begins: what was read before is handed over."""
        self._handed_ns = self._proof_ns

    @property
    def hears(self) -> bool:
        """Whether the desk has a connection by what its socket was told."""
        return self._open

    def _seen(self, frame: Frame | None) -> Frame | None:
        if frame is not None and frame.mark:
            self.reasons[frame.session_ns] = list(self._against())
        elif frame is not None:
            self._look(frame)
        return frame

    def _look(self, frame: Frame) -> None:
        """How old the newest tick of a read is; where all were rejected, how long ago one was not."""
        rejected = sum(sum(causes.values()) for causes in self._live.counts.rejected.values())
        times_ns = [tick.ts_ns for tick in frame.ticks if type(tick) not in REVISIONS]
        if times_ns:
            self._sound_ns, self._lag_ns, self._doubt_ns = frame.session_ns, frame.session_ns - max(times_ns), 0
        elif rejected > self._rejected and not frame.ticks:
            self._sound_ns = frame.session_ns if self._sound_ns is None else self._sound_ns
            self._doubt_ns = max(0, frame.session_ns - self._sound_ns)
        self._rejected = rejected

    def _against(self) -> Generator[str, None, None]:
        wall_ns = self._wall_ns()
        if not self._open:
            yield "the connection is lost"
        if not self._granted():
            yield "no subscription was granted"
        silent_ns = wall_ns - self._handed_ns
        if silent_ns >= self._timeout_ns:
            yield f"nothing came for {silent_ns / SECOND_NS:g} s"
        age_ns = max(self._lag_ns + self._doubt_ns, 0) + silent_ns
        if age_ns > self._max_age_ns:
            yield f"the data are {age_ns / SECOND_NS:g} s old"
        if self.clock_ns is not None and self.clock_failed and wall_ns - self.clock_ns >= self._timeout_ns + SLACK_NS:
            yield f"no answer of the venue's clock for {(wall_ns - self.clock_ns) / SECOND_NS:g} s"
