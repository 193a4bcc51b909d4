"""The driver's process: the supervisor, which creates, watches and restarts all actors, and its parts."""
