"""Simulated couriers and their orders."""
