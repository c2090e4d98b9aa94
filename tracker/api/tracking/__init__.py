"""Endpoints for customers with a tracking link."""
