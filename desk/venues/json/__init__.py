"""A generic JSON websocket: quotes in JSON objects, with fields, headers and requests that the plan names."""
