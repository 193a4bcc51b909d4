"""Alpaca. Source of its protocols: docs.alpaca.markets."""
