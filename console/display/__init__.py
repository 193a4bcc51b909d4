"""Output: the live table, lines, figures, and the terminal."""
