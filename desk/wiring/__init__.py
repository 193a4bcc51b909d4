"""Builds objects from the plan: only this package knows both.

Each module serves one kind of process, so that no process imports the libraries of another:

    markets           market data: tapes, the made-up market, live streams
    plan_session      the session, from plan and market data; exchange_days and tape_days find its date
    producer_factory  the producer's loop and lanes
    shard_factory     shards and scanners
    broker_factory    the order manager and the ledger
    run_start         the start of a run, new or resumed; resume_inputs compares tape, code and versions
    run_end           the files of a finished run
"""
