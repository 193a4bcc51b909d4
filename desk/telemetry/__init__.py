"""Measurements and reports of any process: histograms, a shard's audit, notes, breadcrumbs, figures as text."""
