"""What people see: the command line, the live table, the figures of a run."""
