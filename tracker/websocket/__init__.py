"""RFC 6455 on the transport behind Hypercorn: framing, limits and flow control."""
