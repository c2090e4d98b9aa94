"""RemoteActor: a Valhalla that another process serves over HTTP, with the calls of one in our own threads."""

from typing import Final

import httpx
import msgspec
from valhalla import ValhallaError

from tracker.errors import RouterUnavailable

CONNECT_WITHIN: Final = 1.0  # seconds
ANSWER_WITHIN: Final = 4.5  # seconds; less than the router waits, so that no thread is lost to it


class _Refusal(msgspec.Struct):
    """What the engine answers where it gives nothing."""

    error_code: int = 0
    error: str = ""
    status: str = ""


_read_refusal: Final = msgspec.json.Decoder(_Refusal).decode  # made before there are threads: see engine


class RemoteActor:
    """Text in, text out, as `valhalla.Actor`; raises ValhallaError and RouterUnavailable. For one thread."""

    def __init__(self, url: str) -> None:
        timeout = httpx.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN)
        # No proxy of the environment: the engine is a neighbour.
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, trust_env=False)

    def route(self, wanted: str) -> str:
        return self._ask("route", wanted)

    def trace_attributes(self, wanted: str) -> str:
        return self._ask("trace_attributes", wanted)

    def trace_route(self, wanted: str) -> str:
        return self._ask("trace_route", wanted)

    def matrix(self, wanted: str) -> str:
        return self._ask("sources_to_targets", wanted)

    def status(self, wanted: str = "{}") -> str:
        return self._ask("status", wanted)

    def _ask(self, action: str, wanted: str) -> str:
        try:
            answer = self._http.post(
                f"/{action}", content=wanted, headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise RouterUnavailable(f"The router does not answer ({type(error).__name__}).") from error
        if answer.is_success:
            return answer.text
        raise _refused(answer)


def _refused(answer: httpx.Response) -> ValhallaError | RouterUnavailable:
    """The engine's own refusal, or somebody else's: a proxy, or no Valhalla at all."""
    try:
        said = _read_refusal(answer.content)
    except msgspec.DecodeError:
        said = _Refusal()
    if not said.error_code:
        return RouterUnavailable(f"The router answered with {answer.status_code}.")
    error = ValhallaError(said.error)
    error.code, error.message = said.error_code, said.error
    error.http_code, error.http_message = answer.status_code, said.status
    return error
