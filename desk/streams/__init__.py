"""One connection loop for the streams of every venue: connect, back off, ping, read. Knows no vendor."""
