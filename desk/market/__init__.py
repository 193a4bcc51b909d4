"""Market data in columns: blocks of rows, the frames made of them, and the scanners' view of them."""
