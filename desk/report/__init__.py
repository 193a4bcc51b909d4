"""A run's figures: summary.json, the live view, the report page. This package reads no file and no clock."""
