"""The map extract and what is derived from it."""
