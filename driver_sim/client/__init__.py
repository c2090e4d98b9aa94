"""A driver's connection to the service."""
