"""Venues: one folder per vendor, and the simulated venue."""
