"""The whole desk in one process, without Ray: `desk run --in-process`.

    in_process_desk wires all parts and runs them to the end of the session
    direct_calls  the ports between the parts as plain calls
    hang_watch    interrupts hanging calls of strategies and scanners

The actors are the same objects with Ray calls between them.
"""
