"""Alpaca's REST endpoints for market data, assets, calendar, clock and corporate actions, served by the local venue.

Protocol: docs.alpaca.markets, "Market Data API", "Trading API"; the requests are those of alpaca-py 0.44.
"""
