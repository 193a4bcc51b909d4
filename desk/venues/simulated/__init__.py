"""The simulated venue: orders are matched in the shards, on the market's own ticks."""
