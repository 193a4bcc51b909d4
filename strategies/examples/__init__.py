"""Small example strategies: not advice, and not tuned for profit."""
