"""Rules for what a customer may see of a driver."""
