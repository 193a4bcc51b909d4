"""The crypto stream: the dialogue of the stock stream, with other messages.

Tests: tests/desk/venues/alpaca/test_crypto_protocol.py
"""

from functools import partial

from desk.model.block_rows import BlockFeedCounts
from desk.venues.alpaca.crypto.codec import CryptoCodec
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.frame_codec import Encoding

BOOKS = "orderbooks"


class CryptoProtocol(AlpacaProtocol):
    """Turns received bytes into ticks, and subscriptions into bytes to send."""

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        place: str,
        channels: frozenset[str],
        counts: BlockFeedCounts,
        encoding: Encoding = "msgpack",
        first_ordinal: int = 1,
    ) -> None:
        uses_books = BOOKS in channels
        super().__init__(
            key,
            secret,
            place=place,
            channels=(channels - {BOOKS}) | ({"quotes"} if uses_books else set()),
            counts=counts,
            encoding=encoding,
            first_ordinal=first_ordinal,
            make_codec=partial(CryptoCodec, uses_books=uses_books),
        )

    def connected(self) -> None:
        """Reset for a new connection, which sends the order books anew."""
        super().connected()
        if isinstance(self.codec, CryptoCodec):
            self.codec.forget_books()
