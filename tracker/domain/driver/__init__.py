"""A driver beside their positions: duty, roles and state of the devices, silence."""
