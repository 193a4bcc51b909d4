"""Scanners: what picks symbols out of the whole market."""
