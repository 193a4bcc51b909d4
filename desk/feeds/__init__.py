"""Where market data comes from: the synthetic market, and the venues' streams."""
