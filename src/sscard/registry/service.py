"""The centre as an HTTP service: a bare ASGI application, no framework (ssse-lb002 8).

    POST /decide     a report                         -> a verdict
    POST /confirm    {"report": .., "results": [..]}  -> {}
    GET  /blacklist                                   -> the blacklist

Three routes of JSON need no framework; any ASGI server runs it (the extra `service` brings
one). 400 answers what is no message, 404 another path, 405 another method, 409 results nobody
asked for, 413 a body too long; the body is {"error": ..}. Whoever reaches the port is believed
to be a terminal: put it behind TLS with client certificates, which the server in front does.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from sscard.registry.centre import Centre
from sscard.spec.online import ActionKind, ActionResult, MessageError, Report

__all__ = ["BODY_MAX", "Application", "service"]

BODY_MAX = 65_536
"""Bytes of a request: a report has a few hundred."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class _Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def service(centre: Centre) -> Application:
    """Return the ASGI application of a centre."""

    async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"this service speaks http, not {scope['type']}")
        try:
            status, answer = (
                200,
                _answer(centre, scope["method"], scope["path"], await _body(receive)),
            )
        except _Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except MessageError as error:
            status, answer = 400, {"error": str(error)}
        body = json.dumps(answer, ensure_ascii=False).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def _answer(centre: Centre, method: str, path: str, body: bytes) -> dict[str, Any]:
    routes = {"/decide": "POST", "/confirm": "POST", "/blacklist": "GET"}
    if path not in routes:
        raise _Refused(404, f"there is no {path}")
    if method != routes[path]:
        raise _Refused(405, f"{path} is for {routes[path]}")
    if path == "/blacklist":
        return centre.blacklist.to_json()
    data = _parsed(body)
    if path == "/decide":
        return centre.decide(Report.from_json(data)).to_json()
    if not isinstance(data, Mapping):
        raise MessageError("a message is a JSON object")
    try:
        centre.confirm(Report.from_json(data.get("report")), _results(data.get("results")))
    except (KeyError, ValueError) as error:
        if isinstance(error, MessageError):
            raise
        raise _Refused(409, str(error)) from None
    return {}


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise MessageError("the body is no JSON") from None


def _results(data: object) -> tuple[ActionResult, ...]:
    if not isinstance(data, list):
        raise MessageError("'results' is a list")
    found = []
    for row in data:
        if not (isinstance(row, list) and len(row) == 2 and isinstance(row[1], int)):
            raise MessageError("a result is an order and a status word")
        try:
            found.append(ActionResult(ActionKind(row[0]), row[1]))
        except ValueError as error:
            raise MessageError(str(error)) from None
    return tuple(found)


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "the request broke off")
        body += bytes(message.get("body", b""))
        if len(body) > BODY_MAX:
            raise _Refused(413, f"a message has at most {BODY_MAX} bytes")
        if not message.get("more_body", False):
            return body


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that asks whether we are ready: there is nothing to start or stop."""
    while True:
        message = await receive()
        phase = message["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return
