"""How simulated vehicles move."""
