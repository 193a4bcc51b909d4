"""One connection loop for the streams of every venue: connect, back off, ping, read. No vendor-specific code."""
