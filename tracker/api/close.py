"""An exception that closes a WebSocket from any depth of an endpoint."""


class CloseConnection(Exception):
    """Close the connection now, with this close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason
