"""Arrival times: forecasts, their intervals, and the model that learns from arrivals."""
