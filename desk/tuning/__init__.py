"""The figures of `desk tune`: the load of a plan's market, the cost of a tick here, and the settings that follow.

market_load     the market's rates: busiest window, busiest second, share of each symbol
advice          consumers, capacity, linger and window from load and costs
ceilings        the rates at which each part of the desk has no time left
study           all of it for a plan
market_excerpt  the market a plan takes: its rates, and an excerpt of its busiest moments
past_run        the same from a run's folder
trial           an excerpt played through producer and shard, with a CPU meter at the ports
cpu_meter       CPU time by part
"""
