"""Small strategies, written to be read: not advice, and not tuned for profit."""
