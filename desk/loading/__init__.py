"""From `use = "module:Class"` and `params` in a plan to a factory of ready strategies or scanners.

Everything that can be wrong with the class is found here, before anything runs, and told as a StrategyError.
Whatever the class's own code raises while it is loaded is one, too; `try_in_child` finds code that ends its process.
What imports is looked up on sys.path: the caller makes the working directory importable.
"""

from desk.loading.child_loading import LoadEntry, try_in_child
from desk.loading.factory import ScannerFactory, StrategyFactory, load_scanner, load_strategy

__all__ = ["LoadEntry", "ScannerFactory", "StrategyFactory", "load_scanner", "load_strategy", "try_in_child"]
