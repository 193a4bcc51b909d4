"""Strategies and scanners that plans name. Start from `template.py`; `examples` and `scanners` have more."""
