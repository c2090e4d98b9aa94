"""Sources of a driver's positions: phone apps and devices with protocols of their own."""
