"""What runs in the scanners' process: the market by the minute, and the scanners that look at it."""
