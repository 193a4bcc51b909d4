"""Counters that actors export, and their form in Ray's metrics."""
