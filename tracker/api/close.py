"""Closing: how an endpoint ends its socket from wherever it is."""


class CloseConnection(Exception):
    """The connection ends now, with this close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason
