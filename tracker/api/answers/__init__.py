"""Responses that several kinds of clients get."""
