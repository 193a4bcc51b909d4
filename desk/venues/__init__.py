"""Venues, one folder each: where market data comes from and orders go."""
