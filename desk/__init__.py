"""The desk: market data in, bars and decisions out. Nothing below this package knows Ray."""
