"""The centre as an HTTP service: a bare ASGI application, no framework (ssse-lb002 8).

    POST /decide     a report                         -> a verdict
    POST /confirm    {"report": .., "results": [..]}  -> {}
    GET  /blacklist                                   -> the blacklist

Three routes of JSON need no framework; any ASGI server runs it (the extra `service` brings
one). 400 answers what is no message, 404 another path, 405 another method, 409 results nobody
asked for, 413 a body too long; the body is {"error": ..}. Whoever reaches the port is believed
to be a terminal: put it behind TLS with client certificates, which the server in front does.
"""

from collections.abc import Mapping
from typing import Any

from sscard.registry.centre import Centre
from sscard.spec.online import ActionKind, ActionResult, MessageError, Report
from sscard.transport.web import Application, Refused, Route, json_application, parsed

__all__ = ["BODY_MAX", "Application", "service"]

BODY_MAX = 65_536
"""Bytes of a request: a report has a few hundred."""


def service(centre: Centre) -> Application:
    """Return the ASGI application of a centre."""

    def decide(body: bytes) -> dict[str, Any]:
        try:
            return centre.decide(Report.from_json(parsed(body))).to_json()
        except MessageError as error:
            raise Refused(400, str(error)) from None

    def confirm(body: bytes) -> dict[str, Any]:
        report, results = _confirmation(body)
        try:
            centre.confirm(report, results)
        except (KeyError, ValueError) as error:
            raise Refused(409, str(error)) from None
        return {}

    routes: dict[str, Route] = {
        "/decide": ("POST", decide),
        "/confirm": ("POST", confirm),
        "/blacklist": ("GET", lambda body: centre.blacklist.to_json()),
    }
    return json_application(routes, BODY_MAX)


def _confirmation(body: bytes) -> tuple[Report, tuple[ActionResult, ...]]:
    data = parsed(body)
    if not isinstance(data, Mapping):
        raise Refused(400, "a message is a JSON object")
    try:
        return Report.from_json(data.get("report")), _results(data.get("results"))
    except MessageError as error:
        raise Refused(400, str(error)) from None


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
