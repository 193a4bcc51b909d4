"""Polygon's (now Massive's) stream and REST protocol, served by the local venue.

Protocol: massive.com/docs, "WebSocket" and "REST", section "Stocks".
"""
