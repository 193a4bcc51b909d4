"""Scanners: classes that pick symbols from the whole market."""
