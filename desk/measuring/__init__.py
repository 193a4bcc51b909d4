"""What a plan's market asks and what its ticks cost here, measured in this process: the figures of `desk tune`.

study     all of it for a plan, and what follows
market    the market a plan takes: its rates, and an excerpt of its busiest moments
past_run  the same from what a run left, or is leaving, in its folder
trial     an excerpt played through producer and shard, with a meter at the doors
meter     whose time it is
"""
