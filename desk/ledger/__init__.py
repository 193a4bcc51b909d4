"""The ledger: decisions, orders and fills in a SQL database, written by one process."""

from desk.ledger.sql import PATIENCE_S, SqlLedger
from desk.ledger.urls import ledger_url

__all__ = ["PATIENCE_S", "SqlLedger", "ledger_url"]
