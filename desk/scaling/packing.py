"""Where single moves and swaps end: placing all heavy slots anew.

With a cap above the fair share, a slot that costs no more than the difference always finds room on the idlest shard.
So whether any assignment stays below the cap is decided by the heavier slots alone, of which there are few: a shard
has room for four or so. They are placed by a depth-first search, each where it lies if it can stay.

Tests: tests/desk/scaling/test_planner.py
"""

from collections.abc import Sequence
from typing import Final

from desk.scaling.board import GRAIN, Board, mean

MAX_TRIES: Final = 20_000


def pack(board: Board, shards: Sequence[int], cap: float) -> Board | None:
    """The board with nothing on these shards above `cap`; None where no way was found within MAX_TRIES tries.

    `cap` is above the mean of the shards' loads.
    """
    cap *= 1.0 + GRAIN
    fair = mean(board.shard_loads(shards).values())
    slots = sorted((slot for shard in shards for slot in board.loaded(shard)), key=board.dear)
    heavy = [slot for slot in slots if board.loads[slot] > cap - fair]
    places = _Search(board, heavy, dict.fromkeys(shards, cap)).run()
    if places is None:
        return None
    packed = board.copy()
    for slot, shard in places.items():
        if packed.owners[slot] != shard:
            packed.move(slot, shard)
    _spread(packed, shards, frozenset(heavy), cap)
    return packed


def _spread(board: Board, shards: Sequence[int], heavy: frozenset[int], cap: float) -> None:
    """Let light slots go from shards above the cap to the idlest, the dearest first."""
    for shard in shards:
        light = iter([slot for slot in board.loaded(shard) if slot not in heavy])
        while board.load(shard) > cap:
            board.move(next(light), min(shards, key=lambda other: (board.load(other), other)))


class _Search:
    """Depth first; `room` is what every shard has left."""

    def __init__(self, board: Board, heavy: list[int], room: dict[int, float]) -> None:
        self._board = board
        self._heavy = heavy
        self._room = room
        self._places: dict[int, int] = {}
        self._tries = 0

    def run(self) -> dict[int, int] | None:
        """Every heavy slot's shard."""
        return self._places if self._place(0) else None

    def _place(self, index: int) -> bool:
        if index == len(self._heavy):
            return True
        slot = self._heavy[index]
        cost = self._board.loads[slot]
        for shard in self._candidates(slot, cost):
            self._tries += 1
            if self._tries > MAX_TRIES:
                return False
            self._room[shard] -= cost
            self._places[slot] = shard
            if self._place(index + 1):
                return True
            self._room[shard] += cost
        return False

    def _candidates(self, slot: int, cost: float) -> list[int]:
        """Shards with room: where it lies, then the roomiest."""
        home = self._board.owners[slot]
        fitting = [shard for shard, room in self._room.items() if room >= cost]
        return sorted(fitting, key=lambda shard: (shard != home, -self._room[shard], shard))
