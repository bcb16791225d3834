"""The bank's host as an ASGI application, and over HTTP."""

import json
import socket

import pytest
from bank_desk import ACCOUNT, batch, completion, new_host, request, reversal
from http_bench import call, serving

from sscard.errors import TransportError
from sscard.issuer import HostClient, service
from sscard.issuer.service import BODY_MAX


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/authorise", b"", 405),
        ("POST", "/", b"{}", 404),
        ("POST", "/authorise", b"", 400),
        ("POST", "/authorise", b"[]", 400),
        ("POST", "/complete", b"\xff", 400),
        ("POST", "/reverse", b'{"format": 1}', 400),
        ("POST", "/clear", json.dumps(reversal().to_json()).encode(), 400),
        ("POST", "/clear", bytes(BODY_MAX + 1), 413),
    ],
)
def test_the_service_refuses(method, path, body, status):
    answered, answer = call(service(new_host()), method, path, body)
    assert answered == status
    assert answer["error"]


@pytest.fixture
def served():
    """A host behind a real server; the host and its address."""
    host = new_host()
    with serving(service(host)) as url:
        yield host, url


def test_a_terminal_in_another_process_over_http(served):
    host, url = served
    client = HostClient(url)
    answer = client.authorise(request())
    assert answer.approved
    assert answer == host.authorise(request())
    assert client.complete(completion()).accepted
    assert client.complete(completion()).again
    assert client.clear(batch(completion())).booked == 1
    assert not client.reverse(reversal()).accepted
    assert host.account(ACCOUNT).balance_fen == 100_000 - 12345
    assert host.audit() == []
    with pytest.raises(TransportError, match="404"):
        HostClient(url + "/elsewhere").authorise(request())


def test_a_host_that_is_not_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TransportError, match="does not answer"):
            HostClient(url, timeout_s=1).authorise(request())
    with pytest.raises(TransportError, match="no address"):
        HostClient("ftp://x")
