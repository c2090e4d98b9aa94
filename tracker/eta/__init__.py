"""Arrival times in the service: the forecast log, training, and driver speeds."""
