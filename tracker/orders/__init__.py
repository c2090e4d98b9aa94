"""Everything that changes an order."""
