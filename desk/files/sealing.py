"""Authentication of a run's files for its successor: HMAC-SHA256 (RFC 2104) with a key of this run alone.

Tests: tests/desk/checkpoint/test_trade_log.py
"""

import hmac
from typing import Final

TAG_BYTES: Final = 32


class Seal:
    """Signs content and checks it. A tag holds for one run, one kind of content and one place in the run.

    `key` is derived from the user's key (desk/runs/state_key.py) for one run: a process that has it can sign for no
    other run.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Seal(…)"

    def tag(self, place: str, content: bytes) -> bytes:
        """The tag of this content at this place, for example "shard-3"."""
        name = place.encode()
        return hmac.digest(self._key, len(name).to_bytes(4, "little") + name + content, "sha256")

    def matches(self, tag: bytes, place: str, content: bytes) -> bool:
        """Whether the tag is that of this content at this place."""
        return hmac.compare_digest(tag, self.tag(place, content))
