"""Calls between actors by name, retried after restarts, and the ports of `desk.ports` built on them."""
