"""Loads the classes of a plan: turns `use = "module:Class"` and `params` into a factory of strategies or scanners.

All faults of a class are found before the session starts and raised as StrategyError, also exceptions of its own code.
`try_in_child` finds code that ends its process. Modules are imported from sys.path: the caller adds the working
directory.
"""

from desk.loading.child_loading import LoadEntry, try_in_child
from desk.loading.factory import ScannerFactory, StrategyFactory, load_scanner, load_strategy
from desk.loading.strategy_entry import load_entry

__all__ = [
    "LoadEntry",
    "ScannerFactory",
    "StrategyFactory",
    "load_entry",
    "load_scanner",
    "load_strategy",
    "try_in_child",
]
