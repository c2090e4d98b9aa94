"""Arrival times in the service: what was forecast, and what arrivals teach."""
