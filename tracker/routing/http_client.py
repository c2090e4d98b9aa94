"""HTTP client for a Valhalla in another process, with the calls of one in this process."""

from typing import Final

import httpx
import msgspec

from tracker.errors import RouterUnavailable

CONNECT_WITHIN: Final = 1.0  # seconds
ANSWER_WITHIN: Final = 4.5  # seconds; less than the router waits, so that its threads return in time


class _ErrorAnswer(msgspec.Struct):
    """The body of an error of the engine."""

    error_code: int = 0
    error: str = ""


_read_error: Final = msgspec.json.Decoder(_ErrorAnswer).decode  # built at import: see engine.py


class EngineError(RuntimeError):
    """An error of the engine, with the attributes of `valhalla.ValhallaError`."""

    def __init__(self, http_code: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http_code = http_code
        self.code = code
        self.message = message


class HttpBackend:
    """The calls of `valhalla.Actor`, with JSON text. Thread-safe; close it at the end.

    Each call raises EngineError, RouterUnavailable.
    """

    def __init__(self, url: str) -> None:
        timeout = httpx.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN)
        # Ignore proxy settings of the environment: the server is on a local network.
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, trust_env=False)

    def close(self) -> None:
        """Close the connections. A later call raises RouterUnavailable."""
        self._http.close()

    def route(self, request: str) -> str:
        return self._post("route", request)

    def trace_attributes(self, request: str) -> str:
        return self._post("trace_attributes", request)

    def trace_route(self, request: str) -> str:
        return self._post("trace_route", request)

    def matrix(self, request: str) -> str:
        return self._post("sources_to_targets", request)

    def status(self, request: str = "{}") -> str:
        return self._post("status", request)

    def _post(self, action: str, request: str) -> str:
        try:
            answer = self._http.post(
                f"/{action}", content=request, headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise RouterUnavailable(f"The router does not answer ({type(error).__name__}).") from error
        except RuntimeError as error:  # the client is closed
            raise RouterUnavailable("The router is closed.") from error
        if answer.is_success:
            return answer.text
        raise _error_of(answer)


def _error_of(answer: httpx.Response) -> EngineError | RouterUnavailable:
    """Return the engine's own error, or RouterUnavailable if a proxy or another server answered."""
    try:
        body = _read_error(answer.content)
    except msgspec.DecodeError:
        body = _ErrorAnswer()
    if not body.error_code:
        return RouterUnavailable(f"The router answered with HTTP status {answer.status_code}.")
    return EngineError(answer.status_code, body.error_code, body.error)
