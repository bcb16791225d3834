"""A centre somewhere else, asked over HTTP: the same methods as the centre itself.

Standard library only. A connection is made for each question; a centre that does not answer
in time is a `TransportError`, and the terminal decides what it does off line.
"""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from sscard.errors import TransportError
from sscard.spec.online import ActionResult, Blacklist, MessageError, Report, Verdict

__all__ = ["CentreClient"]

_OK = 200


class CentreClient:
    """The centre at `url` ("http://host:port", or https).

    Every method may raise `TransportError`: nobody there, no answer within `timeout_s`, or an
    answer that is none of this service.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TransportError(f"{url!r} is no address of a centre: http://host:port")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s

    def decide(self, report: Report) -> Verdict:
        """See `Centre.decide`."""
        answer = self._ask("POST", "/decide", report.to_json())
        try:
            return Verdict.from_json(answer)
        except MessageError as error:
            raise TransportError(f"the centre's verdict: {error}") from error

    def confirm(self, report: Report, results: tuple[ActionResult, ...]) -> None:
        """See `Centre.confirm`."""
        rows = [[result.kind.value, result.sw] for result in results]
        self._ask("POST", "/confirm", {"report": report.to_json(), "results": rows})

    @property
    def blacklist(self) -> Blacklist:
        """See `Centre.blacklist`."""
        answer = self._ask("GET", "/blacklist", None)
        try:
            return Blacklist.from_json(answer)
        except MessageError as error:
            raise TransportError(f"the centre's blacklist: {error}") from error

    def _ask(self, method: str, path: str, message: object) -> Any:
        body = None if message is None else json.dumps(message).encode()
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, self._prefix + path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, HTTPException) as error:
            raise TransportError(f"the centre at {self._host} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            parsed = json.loads(data)
        except ValueError:
            parsed = None
        if answer.status != _OK:
            reason = parsed.get("error", "") if isinstance(parsed, dict) else ""
            raise TransportError(f"the centre answers {answer.status} {reason}".rstrip())
        return parsed
