"""The ledger: decisions, orders and fills in a SQL database, written by one process."""

from desk.ledger.sql import PATIENCE_S, SqlLedger

__all__ = ["PATIENCE_S", "SqlLedger"]
