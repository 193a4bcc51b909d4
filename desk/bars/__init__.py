"""Minute bars: sale conditions, minutes from trades, the series that strategies see, and the reference price."""
