"""Tapes: recorded market data in Parquet files, read, written and described."""
