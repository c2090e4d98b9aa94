"""Fixes, their verdicts and the tracks they form."""
