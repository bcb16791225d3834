"""The bank's host as an ASGI application, and over HTTP."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from bank_desk import ACCOUNT, bank_vault, batch, completion, new_host, request, reversal
from http_bench import call, serving

from sscard.errors import TransportError
from sscard.issuer import HostClient, IssuerHost, open_books, service
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


def test_two_hosts_on_one_database(tmp_path):
    """One request at both at once is answered the same; of two for all the money one is approved."""
    url = f"sqlite:///{tmp_path}/bank.db"
    first = new_host(url, deposit=20_000)
    hosts = [first, IssuerHost(bank_vault(), open_books(url))]
    with ThreadPoolExecutor(8) as pool:
        asked = [request(1)] * 8
        same = list(pool.map(lambda n: hosts[n % 2].authorise(asked[n]), range(8)))
        assert same == [same[0]] * 8
        assert same[0].approved
        assert first.account(ACCOUNT).held_fen == 12345
        other = list(
            pool.map(lambda n: hosts[n % 2].authorise(request(n + 2, atc=n + 2)), range(8))
        )
    assert not [answer for answer in other if answer.approved]
    assert first.reverse(reversal(1)).accepted
    assert first.audit() == []
    for host in hosts:
        host.books.dispose()
