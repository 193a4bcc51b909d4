"""From `use = "module:Class"` and `params` in a plan to a factory of ready strategies or scanners.

Everything that can be wrong with the class is found here, before anything runs, and told as a StrategyError.
What imports is looked up on sys.path: the caller makes the working directory importable.
"""

from desk.loading.factory import ScannerFactory, StrategyFactory, load_scanner, load_strategy

__all__ = ["ScannerFactory", "StrategyFactory", "load_scanner", "load_strategy"]
