"""Builds objects from the plan: the only place that maps words of the plan to classes.

Each module names what one kind of process needs, so that a consumer does not load what the ledger does:

    markets        market data: tapes, the synthetic market, live streams
    plan_session   the session, from plan and market data; exchange_days and tape_days have the dates
    producer_factory the producer's side: lanes and loop
    shard_factory  the consumers' and scanners' side
    broker_factory the broker's and the ledger's side
    run_start      the start of a run, new or resumed; resume_inputs compares what it works on
    run_end        the files of a finished run
"""
