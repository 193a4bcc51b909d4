"""The Alpaca market data stream v2: codec and protocol without a socket, and the feed that uses them.

Source: docs.alpaca.markets, "WebSocket Stream" and "Real-time Stock Data".
"""

from desk.venues.alpaca.market.feed import AlpacaFeed

__all__ = ["AlpacaFeed"]
