"""The scanners' process: the market by the minute, and the scanners that run on it."""
