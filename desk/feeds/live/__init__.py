"""A live stream as a feed: session time, outages, freshness, and the venue's times checked at the edge."""
