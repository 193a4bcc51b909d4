"""One connection loop for every venue: connect, back off, ping, subscribe again; and one HTTP GET."""
