"""Ray Jobs: the job server's client, and the files that a job takes with it."""
