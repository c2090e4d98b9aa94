"""The merchant's brand, as the API reads and writes it."""
