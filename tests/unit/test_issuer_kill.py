"""`sscard authorise serve` in a process of its own, killed while terminals ask it."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

from bank_desk import request
from cli_bench import Cli

from sscard.errors import TransportError
from sscard.issuer import HostClient

sscard = Cli()
AMOUNT = 100
"""In fen: all of them together are less than the deposit."""


@contextmanager
def served(books):
    """Yield a running host and a client of it; the process is killed at the end."""
    words = ["authorise", "--books", str(books), "serve", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "sscard", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, HostClient(process.stderr.readline().split()[0], timeout_s=20)
        finally:
            process.kill()


def test_a_killed_host_has_booked_each_transaction_once_or_not_at_all(tmp_path):
    books = tmp_path / "bank.db"
    own = ("authorise", "--books", books)
    sscard(*own, "open", "6217", "--expiry", "3012", "--deposit-fen", "20000")
    asked = [request(n, amount=AMOUNT) for n in range(1, 41)]
    answers = []
    with served(books) as (process, client):
        answers += [client.authorise(message) for message in asked[:5]]
        threading.Timer(0.02, process.kill).start()
        with suppress(TransportError):
            for message in asked[5:]:
                answers.append(client.authorise(message))
        process.wait()
    with served(books) as (_, client):
        assert [client.authorise(message) for message in asked[: len(answers)]] == answers
        assert all(client.authorise(message).approved for message in asked)
    found = json.loads(sscard(*own, "ledger", "--json"))
    assert found["wrong"] == []
    account = next(row for row in found["accounts"] if row["number"] == "6217")
    assert account["held_fen"] == AMOUNT * len(asked)
