"""A relay: one connection to a venue, served to many clients of this machine in the same protocol."""
