"""Polygon, now Massive: the US stock stream, without a socket, and the history by REST.

Source: massive.com/docs, "WebSocket, Stocks" and "REST, Stocks".
"""
