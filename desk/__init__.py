"""The desk: market data in, bars and decisions out. No module of this package imports Ray."""
