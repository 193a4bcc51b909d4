"""Meters of waiting: what keeps the working thread of a process from working."""
