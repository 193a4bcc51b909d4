"""The ledger: decisions, orders and fills in a SQL database, written by one process."""

from desk.ledger.known_ledger import require_known
from desk.ledger.row_file import RowFile
from desk.ledger.sql import PATIENCE_S, SqlLedger
from desk.ledger.urls import ledger_url

__all__ = ["PATIENCE_S", "RowFile", "SqlLedger", "ledger_url", "require_known"]
