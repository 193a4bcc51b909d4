"""The words that every floor speaks: ticks, items, batches, orders, bars, errors.

Standard library and msgspec only. Hot messages are msgspec Structs, array-like on the wire, with
`gc=False`: they hold no containers that could form a cycle.
"""
