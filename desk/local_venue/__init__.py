"""A stand-in server that speaks Alpaca's market-data stream v2 over websockets, from any source of blocks.

Protocol: docs.alpaca.markets, "Real-time Stock Data" and "WebSocket Stream" (market data API v2).
"""
