"""What is printed and drawn: the live table, lines, figures, and the terminal under them."""
