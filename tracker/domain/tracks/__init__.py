"""Fixes, and which of them are believed."""
