"""What positions show of an order: arrivals and departures."""
