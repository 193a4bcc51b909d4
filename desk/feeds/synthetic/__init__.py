"""The synthetic market: a made-up US equities session from a seed."""
