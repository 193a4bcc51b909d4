"""What is measured and reported, in any process: histograms, a shard's audit, notes, breadcrumbs, figures as text."""
