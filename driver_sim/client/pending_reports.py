"""Answers: who waits for the answer to which report."""

import asyncio


class ReportRejected(Exception):
    """The service did not take a status or a message; `code` is its word for why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class PendingReports:
    """Futures by message id. An answer that nobody waits for is ignored."""

    def __init__(self) -> None:
        self._futures: dict[int, asyncio.Future[None]] = {}

    def expect(self, message_id: int) -> asyncio.Future[None]:
        """Done when `message_id` is acknowledged; raises what `fail` or `fail_all` were given."""
        self._futures[message_id] = asyncio.get_running_loop().create_future()
        return self._futures[message_id]

    def succeed(self, message_id: int | None) -> None:
        future = self._pop(message_id)
        if future is not None:
            future.set_result(None)

    def fail(self, message_id: int | None, error: Exception) -> None:
        future = self._pop(message_id)
        if future is not None:
            future.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        for message_id in list(self._futures):
            self.fail(message_id, error)

    def _pop(self, message_id: int | None) -> asyncio.Future[None] | None:
        future = None if message_id is None else self._futures.pop(message_id, None)
        return None if future is None or future.done() else future
