"""Where market data comes from: blocks played as a feed, the synthetic market, and live streams."""
