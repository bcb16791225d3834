"""The bank's host as an ASGI application, and over HTTP."""

import asyncio
import json
import socket
import threading
import time

import pytest
import uvicorn
from bank_desk import ACCOUNT, batch, completion, new_host, request, reversal

from sscard.errors import TransportError
from sscard.issuer import HostClient, service
from sscard.issuer.service import BODY_MAX


def call(application, method, path, body):
    """Run one request through an application; return status and JSON."""
    waiting = [{"type": "http.request", "body": body}]
    sent = []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(application({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


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
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(service(host), log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield host, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


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
