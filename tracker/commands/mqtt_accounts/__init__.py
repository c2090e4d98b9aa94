"""`tracker mqtt`: accounts of drivers at an MQTT broker."""
