"""Messages between parts of the desk: ticks, blocks of ticks, items, batches, orders, bars, errors.

Standard library, numpy and msgspec only. Hot messages are msgspec Structs, array-like on the wire, with
`gc=False`: they hold no containers that could form a cycle.
"""
