"""Minute bars: which trades count, how they fold, and how a session's minutes are kept."""
