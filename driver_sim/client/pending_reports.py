"""Answers: who waits for the answer to which report."""

import asyncio


class ReportRefused(Exception):
    """The service did not take a status or a message; `code` is its word for why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class PendingReports:
    """Futures by message id. An answer that nobody waits for is ignored."""

    def __init__(self) -> None:
        self._expected: dict[int, asyncio.Future[None]] = {}

    def expect(self, message_id: int) -> asyncio.Future[None]:
        """Done when `message_id` is acknowledged; raises what `fail` or `fail_all` were given."""
        self._expected[message_id] = asyncio.get_running_loop().create_future()
        return self._expected[message_id]

    def succeed(self, message_id: int | None) -> None:
        answer = self._take(message_id)
        if answer is not None:
            answer.set_result(None)

    def fail(self, message_id: int | None, error: Exception) -> None:
        answer = self._take(message_id)
        if answer is not None:
            answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        for message_id in list(self._expected):
            self.fail(message_id, error)

    def _take(self, message_id: int | None) -> asyncio.Future[None] | None:
        answer = None if message_id is None else self._expected.pop(message_id, None)
        return None if answer is None or answer.done() else answer
