"""The host as an HTTP service: a bare ASGI application, no framework.

    POST /authorise  an authorisation request  -> an authorisation response
    POST /complete   a completion              -> an acknowledgement
    POST /reverse    a reversal                -> an acknowledgement
    POST /clear      a clearing batch          -> a clearing result

400 answers what is no message, 404 another path, 405 another method, 413 a body too long; the
body is {"error": ..}. Whoever reaches the port is believed to be a terminal: put it behind TLS
with client certificates, which the server in front does.
"""

from typing import Any

from sscard.spec.banking import (
    AuthorisationRequest,
    Authoriser,
    BankMessageError,
    ClearingBatch,
    Completion,
    Reversal,
)
from sscard.transport.web import Application, Refused, Route, json_application, parsed

__all__ = ["BODY_MAX", "service"]

BODY_MAX = 4_194_304
"""Bytes of a request: a batch of some thousand transactions."""


def service(host: Authoriser) -> Application:
    """Return the ASGI application of a host."""
    routes: dict[str, Route] = {
        "/authorise": (
            "POST",
            lambda body: host.authorise(_read(AuthorisationRequest, body)).to_json(),
        ),
        "/complete": ("POST", lambda body: host.complete(_read(Completion, body)).to_json()),
        "/reverse": ("POST", lambda body: host.reverse(_read(Reversal, body)).to_json()),
        "/clear": ("POST", lambda body: host.clear(_read(ClearingBatch, body)).to_json()),
    }
    return json_application(routes, BODY_MAX)


def _read(kind: Any, body: bytes) -> Any:
    try:
        return kind.from_json(parsed(body))
    except BankMessageError as error:
        raise Refused(400, str(error)) from None
