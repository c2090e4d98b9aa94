"""Changes of orders: rule, transaction, timeline and notification."""
