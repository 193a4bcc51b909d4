"""Strategies and scanners: what the desk trades on. Start from `template.py`; `examples` and `scanners` show more."""
