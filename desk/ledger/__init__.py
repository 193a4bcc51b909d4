"""The ledger: decisions, orders and fills in a SQL database, written by one process."""

from desk.ledger.sql import SqlLedger

__all__ = ["SqlLedger"]
