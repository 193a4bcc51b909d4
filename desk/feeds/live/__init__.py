"""A live stream as a feed: session time, outages, freshness, and checked venue times."""
