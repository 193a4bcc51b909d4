"""What runs in the producer's process: frames in, ticks routed into lanes, marks set, batches out, acks in.

loop              one frame after the other, from the feed to the lanes
router            each tick to the lane of its symbol's shard
lanes             all lanes, and the links under them
slot_moves        slots that move between shards; held_items keeps their ticks meanwhile
membership        shards that join and leave
overload          the overload ladder
subscriptions     which symbols the feed delivers; watched_symbols says for which strategies
deliveries        order events in transit from the broker to the lanes
durable_states    the producer's own checkpoints; catch_up continues from one
feed_gaps         gap items for outages of the feed
feed_watch        age, clock skew and silence of the feed, and its verdict at the end
stats             the producer's figures at one moment
"""
