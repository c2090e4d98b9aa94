"""The track of an order: its formats, lines and summary."""
