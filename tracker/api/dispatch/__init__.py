"""Endpoints for dispatchers: browser sessions, the stream of the whole fleet."""
