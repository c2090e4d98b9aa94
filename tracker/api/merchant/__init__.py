"""Endpoints for merchants."""
