"""PendingReports: the reports that await their answers."""

import asyncio


class ReportRejected(Exception):
    """The service rejected a status or a note; `code` is its error code."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class PendingReports:
    """Futures by message id. Answers to unknown ids are ignored."""

    def __init__(self) -> None:
        self._futures: dict[int, asyncio.Future[None]] = {}

    def expect(self, message_id: int) -> asyncio.Future[None]:
        """Return a future that `succeed` completes and `fail` or `fail_all` fails."""
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
