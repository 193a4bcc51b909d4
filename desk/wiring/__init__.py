"""From the plan to objects: the one place that knows which class stands behind a word of the plan.

Each module names what one kind of process needs, so that a consumer does not load what the ledger does:

    markets        market data: tapes, the synthetic market, live streams
    sessions       the session, from plan and market data; exchange_days and tape_days have the dates
    producer       the producer's side: lanes and loop
    shards         the consumers' and scanners' side
    trading        the broker's and the ledger's side
    run_start      the start of a run, new or resumed; resume_inputs compares what it works on
    run_end        the files of a finished run
"""
