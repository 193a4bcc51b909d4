"""Metrics of actors, and their export to Ray."""
