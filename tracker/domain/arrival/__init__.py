"""Detection of arrivals and departures from positions, and of the places where drivers stop."""
