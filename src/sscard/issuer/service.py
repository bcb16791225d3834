"""The host as an HTTP service: a bare ASGI application, no framework.

    POST /authorise  an authorisation request  -> an authorisation response
    POST /complete   a completion              -> an acknowledgement
    POST /reverse    a reversal                -> an acknowledgement
    POST /clear      a clearing batch          -> a clearing result

400 answers what is no message, 404 another path, 405 another method, 413 a body too long; the
body is {"error": ..}. Whoever reaches the port is believed to be a terminal: put it behind TLS
with client certificates, which the server in front does.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sscard.spec.banking import (
    AuthorisationRequest,
    Authoriser,
    BankMessageError,
    ClearingBatch,
    Completion,
    Reversal,
)

__all__ = ["BODY_MAX", "Application", "service"]

BODY_MAX = 4_194_304
"""Bytes of a request: a batch of some thousand transactions."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class _Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def service(host: Authoriser) -> Application:
    """Return the ASGI application of a host."""

    async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"this service speaks http, not {scope['type']}")
        try:
            answer = _answer(host, scope["method"], scope["path"], await _body(receive))
            status = 200
        except _Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except BankMessageError as error:
            status, answer = 400, {"error": str(error)}
        body = json.dumps(answer, ensure_ascii=False).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def _answer(host: Authoriser, method: str, path: str, body: bytes) -> dict[str, Any]:
    routes: dict[str, Callable[[object], dict[str, Any]]] = {
        "/authorise": lambda d: host.authorise(AuthorisationRequest.from_json(d)).to_json(),
        "/complete": lambda d: host.complete(Completion.from_json(d)).to_json(),
        "/reverse": lambda d: host.reverse(Reversal.from_json(d)).to_json(),
        "/clear": lambda d: host.clear(ClearingBatch.from_json(d)).to_json(),
    }
    if path not in routes:
        raise _Refused(404, f"there is no {path}")
    if method != "POST":
        raise _Refused(405, f"{path} is for POST")
    try:
        data = json.loads(body)
    except ValueError:
        raise BankMessageError("the body is no JSON") from None
    return routes[path](data)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "the request broke off")
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            raise _Refused(413, f"a message has at most {BODY_MAX} bytes")
        if not message.get("more_body", False):
            return bytes(body)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that asks whether we are ready: there is nothing to start or stop."""
    while True:
        message = await receive()
        phase = message["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return
