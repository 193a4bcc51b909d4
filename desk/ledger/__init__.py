"""The ledger: decisions, orders and fills in a SQL database, written by one process."""

from desk.ledger.known_ledger import require_same_ledger
from desk.ledger.ledger_url import ledger_url
from desk.ledger.row_count_file import RowCountFile
from desk.ledger.sql import PATIENCE_S, SqlLedger

__all__ = ["PATIENCE_S", "RowCountFile", "SqlLedger", "ledger_url", "require_same_ledger"]
