"""Starting or joining Ray, creating and ending actors, and what Ray reports of nodes and processes."""
