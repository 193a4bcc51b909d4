"""The producer's checks of its feed, and the warnings and problems that result."""
