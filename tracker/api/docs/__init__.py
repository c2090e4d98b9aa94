"""Descriptions of the API for programs and people."""
