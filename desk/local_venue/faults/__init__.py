"""Faults of a venue by a script: what they are, when they happen, and how they reach a connection.

Theory. A script is a list of faults, each with a moment or a span of play time. One schedule counts and hands them out.
Faults act on delivery: on the answers, frames and events of one connection. The market itself stays as it is, so that
all of it can be had from history. Only the kinds `halt`, `luld` and `quiet` are part of the market.
"""
