"""The consumer's process: one shard, batches in, acks out.

shard             decodes batches, feeds the engine, acknowledges, saves checkpoints
engine            items in; bars, intents and audit out
matching          the simulated venue's matching of one symbol's orders
lockstep_replies  a shard's requests to the broker in lockstep
slot_meter        how busy each slot is
"""
