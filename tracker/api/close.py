"""Closing: how an endpoint ends its socket from wherever it is."""


class CloseConnection(Exception):
    """The connection ends now, with this close code."""

    def __init__(self, code: int, word: str) -> None:
        super().__init__(f"{code} {word}")
        self.code = code
        self.word = word
