"""A run's figures: summary.json, the live view, the report page. No file, no clock."""
