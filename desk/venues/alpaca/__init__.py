"""Alpaca: market data."""
