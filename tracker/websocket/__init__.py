"""WebSocket connections that are ours: framing, limits and buffers, on the transport behind Hypercorn's."""
