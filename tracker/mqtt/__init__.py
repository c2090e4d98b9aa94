"""Positions over MQTT: the connection to the broker, what it brings, and the devices' accounts."""
