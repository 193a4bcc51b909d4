"""What a run comes to: the figures of summary.json, the live view, the report page. No file, no clock."""
