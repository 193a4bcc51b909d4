"""What `desk submit` sends to a cluster, what it checks before, and how it follows the job."""
