"""What operators see of a node: health, metrics, and a log line and a count for what clients do."""
