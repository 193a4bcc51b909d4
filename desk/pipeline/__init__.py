"""The whole house in one process: feed → route → lanes → engines → risk → broker → ledger. No Ray.

Read it in the order of the tick's way:

    intake.py     the producer's work: frames in, routed, batched, marked; acks and order events in
    shard.py      the consumer's work: a batch in, an ack out; checkpoints on the side
    local.py      the doors between them as plain calls
    record.py     what the run comes to

`desk.house` wires it and runs it to its end.

The actors are this pipeline cut at its doors (`desk.ports`): the same objects, with Ray calls between them.
"""
