"""How a plan's lanes should be set for the market it takes: what the market asks, what a tick costs, what follows.

load      the market's rates: busiest window, busiest second, share of each symbol
advice    consumers, capacity, linger and window from load and costs
ceilings  the rates at which each part of the desk has no time left
"""
