"""HTTP requests to a venue: within its rate limit, each with a time limit, orders first.

request_budget    how many requests a host takes, and which may be sent now
rest_session      the `requests` session that keeps to it; the clients of a vendor's library get one
"""
