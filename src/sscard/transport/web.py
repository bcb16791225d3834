"""JSON over HTTP, both ends: a bare ASGI application and a client of the standard library.

Some routes of JSON need no framework; any ASGI server runs the application (the extra
`service` brings one). Used by the centre and the bank's host, which say what the routes are.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from sscard.errors import TransportError

__all__ = ["Application", "JsonClient", "Refused", "Route", "json_application", "parsed"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Route = tuple[str, Callable[[bytes], dict[str, Any]]]
"""A method, and what answers the body of a request."""

_OK = 200


class Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def parsed(body: bytes) -> object:
    """Return the JSON of a body. Errors: Refused with 400."""
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(400, "the body is no JSON") from None


def json_application(routes: dict[str, Route], body_max: int) -> Application:
    """Return an ASGI application of these paths.

    A `Refused` becomes its status and {"error": ..}; 404 answers another path, 405 another
    method, 413 a body of more than `body_max` bytes.
    """

    async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"this service speaks http, not {scope['type']}")
        try:
            body = await _body(receive, body_max)
            status, answer = _OK, _answer(routes, scope["method"], scope["path"], body)
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        data = json.dumps(answer, ensure_ascii=False).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(data)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return application


def _answer(routes: dict[str, Route], method: str, path: str, body: bytes) -> dict[str, Any]:
    if path not in routes:
        raise Refused(404, f"there is no {path}")
    wanted, answer = routes[path]
    if method != wanted:
        raise Refused(405, f"{path} is for {wanted}")
    return answer(body)


async def _body(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "the request broke off")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, f"a message has at most {most} bytes")
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


class JsonClient:
    """A service at `url` ("http://host:port", or https); `who` names it in errors.

    A connection is made for each question. Errors: TransportError.
    """

    def __init__(self, url: str, who: str, *, timeout_s: float) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise TransportError(f"{url!r} is no address of {who}: http://host:port")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, port
        self._where = parts.hostname if port is None else f"{parts.hostname}:{port}"
        self._prefix = parts.path.rstrip("/")
        self._who = who
        self._timeout_s = timeout_s

    def ask(self, method: str, path: str, message: object) -> Any:
        """Return the JSON that answers a message; None: a request without a body.

        Errors: TransportError when nobody is there, nothing comes in time, or the answer is
        a refusal.
        """
        body = None if message is None else json.dumps(message).encode()
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, self._prefix + path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, HTTPException) as error:
            raise TransportError(
                f"{self._who} at {self._where} does not answer: {error}"
            ) from error
        finally:
            connection.close()
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if answer.status != _OK:
            reason = found.get("error", "") if isinstance(found, dict) else ""
            raise TransportError(f"{self._who} answers {answer.status} {reason}".rstrip())
        return found
