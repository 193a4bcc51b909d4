"""What the producer observes of its feed, and the warnings and problems that result from it."""
