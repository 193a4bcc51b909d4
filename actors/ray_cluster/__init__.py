"""Starting or joining Ray, creating and stopping actors, and Ray's reports of nodes and processes."""
