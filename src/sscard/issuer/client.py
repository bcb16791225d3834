"""A bank's host somewhere else, asked over HTTP: an `Authoriser` like the host itself.

Standard library only. A connection is made for each question; a host that does not answer in
time is a `TransportError`, and the terminal goes on as one that is unable to go on line.
"""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sscard.errors import TransportError
from sscard.spec.banking import (
    Acknowledgement,
    AuthorisationRequest,
    AuthorisationResponse,
    BankMessage,
    BankMessageError,
    ClearingBatch,
    ClearingResult,
    Completion,
    Reversal,
)

__all__ = ["HostClient"]

_OK = 200
_Answer = TypeVar("_Answer", bound=BankMessage)


class HostClient:
    """The host at `url` ("http://host:port", or https).

    Every method may raise `TransportError`: nobody there, no answer within `timeout_s`, or an
    answer that is none of this service.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TransportError(f"{url!r} is no address of a bank's host: http://host:port")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        """See `IssuerHost.authorise`."""
        return self._ask("/authorise", request, AuthorisationResponse)

    def complete(self, completion: Completion) -> Acknowledgement:
        """See `IssuerHost.complete`."""
        return self._ask("/complete", completion, Acknowledgement)

    def reverse(self, reversal: Reversal) -> Acknowledgement:
        """See `IssuerHost.reverse`."""
        return self._ask("/reverse", reversal, Acknowledgement)

    def clear(self, batch: ClearingBatch) -> ClearingResult:
        """See `IssuerHost.clear`."""
        return self._ask("/clear", batch, ClearingResult)

    def _ask(self, path: str, message: BankMessage, kind: type[_Answer]) -> _Answer:
        body = json.dumps(message.to_json()).encode()
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._prefix + path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, HTTPException) as error:
            raise TransportError(f"the host at {self._host} does not answer: {error}") from error
        finally:
            connection.close()
        parsed = _parsed(data)
        if answer.status != _OK:
            reason = parsed.get("error", "") if isinstance(parsed, dict) else ""
            raise TransportError(f"the host answers {answer.status} {reason}".rstrip())
        try:
            return kind.from_json(parsed)
        except BankMessageError as error:
            raise TransportError(f"the host's answer: {error}") from error


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
