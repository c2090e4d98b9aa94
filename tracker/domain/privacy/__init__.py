"""What a customer may see of a driver."""
