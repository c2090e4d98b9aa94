"""Processes, locks, memory and garbage collection: what the service asks of the operating system."""
