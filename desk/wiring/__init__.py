"""From the plan to objects, which connect plan, session and parts. Kinds of feeds and venues: `desk.venues.registry`.

Each module names what one kind of process needs, so that a consumer does not load what the ledger does:

    markets    market data: what can be played again, what streams live
    sessions   the session, from plan and market data
    flow       the producer's side: lanes and intake
    shards     the consumers' and scanners' side
    trading    the broker's and the ledger's side
"""
