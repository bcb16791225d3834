"""A centre somewhere else, asked over HTTP: the same methods as the centre itself.

A centre that does not answer in time is a `TransportError`, and the terminal decides what it does
off line.
"""

from sscard.errors import TransportError
from sscard.spec.online import ActionResult, Blacklist, MessageError, Report, Verdict
from sscard.transport.web import JsonClient

__all__ = ["CentreClient"]


class CentreClient:
    """The centre at `url` ("http://host:port", or https).

    Every method may raise `TransportError`: nobody there, no answer within `timeout_s`, or an
    answer that is none of this service.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self._client = JsonClient(url, "the centre", timeout_s=timeout_s)

    def decide(self, report: Report) -> Verdict:
        """See `Centre.decide`."""
        answer = self._client.ask("POST", "/decide", report.to_json())
        try:
            return Verdict.from_json(answer)
        except MessageError as error:
            raise TransportError(f"the centre's verdict: {error}") from error

    def confirm(self, report: Report, results: tuple[ActionResult, ...]) -> None:
        """See `Centre.confirm`."""
        rows = [[result.kind.value, result.sw] for result in results]
        self._client.ask("POST", "/confirm", {"report": report.to_json(), "results": rows})

    @property
    def blacklist(self) -> Blacklist:
        """See `Centre.blacklist`."""
        answer = self._client.ask("GET", "/blacklist", None)
        try:
            return Blacklist.from_json(answer)
        except MessageError as error:
            raise TransportError(f"the centre's blacklist: {error}") from error
