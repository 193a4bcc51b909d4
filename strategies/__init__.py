"""Strategies and scanners. Start from `template.py`; `examples` and `scanners` show more."""
