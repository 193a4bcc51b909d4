"""The venues: one folder for each vendor, and the simulated venue."""
