"""Alpaca's REST API, through alpaca-py: history, snapshots, lists of symbols and days.

connect      a plan's history and market
addresses    the servers that a plan's requests go to
clients      alpaca-py's clients with time limits, within the rate limit
wire         the JSON of the answers
history      trades, bars and corporate actions of the past
snapshots    the market that scanners see
reference    symbols and trading days, cached for the day
"""
