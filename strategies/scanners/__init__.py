"""Example scanners, which pick symbols out of the whole market."""
