"""Endpoints for drivers."""
