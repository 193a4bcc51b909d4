"""Ray Jobs: the job server's client, and the files that are packed for a job."""
