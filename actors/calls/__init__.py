"""Calls between actors: by name, through restarts, with the ports of `desk.ports` made of them."""
