"""A bank's host somewhere else, asked over HTTP: an `Authoriser` like the host itself.

A host that does not answer in time is a `TransportError`, and the terminal goes on as one that is
unable to go on line.
"""

from typing import TypeVar

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
from sscard.transport.web import JsonClient

__all__ = ["HostClient"]

_Answer = TypeVar("_Answer", bound=BankMessage)


class HostClient:
    """The host at `url` ("http://host:port", or https).

    Every method may raise `TransportError`: nobody there, no answer within `timeout_s`, or an
    answer that is none of this service.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self._client = JsonClient(url, "the bank's host", timeout_s=timeout_s)

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
        answer = self._client.ask("POST", path, message.to_json())
        try:
            return kind.from_json(answer)
        except BankMessageError as error:
            raise TransportError(f"the host's answer: {error}") from error
