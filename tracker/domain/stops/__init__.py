"""The sequence and the times in which a driver serves stops."""
