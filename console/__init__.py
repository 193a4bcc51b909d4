"""The user interface: the command line, the live table, the figures of a run."""
