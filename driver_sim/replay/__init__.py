"""Recorded tracks, driven again."""
