"""A generic JSON feed, served by the local venue: a key in a header, one JSON object per tick."""
