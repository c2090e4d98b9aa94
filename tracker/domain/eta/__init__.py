"""Arrival times: forecasts, their intervals, and what is learned from arrivals."""
