"""A hospital visit that the bank account pays for: readers, terminal and bank in processes of their own."""

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from sscard.inspect import fsck
from sscard.sample import sample_card, sample_psam
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

PROGRAM = (sys.executable, "-m", "sscard", "authorise", "--books")

VISIT = """
import json, sys
from datetime import date, datetime
from sscard.cli.cert import ca_keys_named
from sscard.issuer import HostClient
from sscard.perso.roots import demo_vault
from sscard.terminal import Policy, PsamSource, VaultSource
from sscard.terminal.bank import POS, KeyedPad
from sscard.terminal.full import Bill, FullTerminal
from sscard.transport.pcsc import PcscPort

card, sam, url = sys.argv[1:]
at = datetime(2026, 7, 1, 10, 30)
with PcscPort(sam) as slot, FullTerminal(
    PcscPort(card),
    PsamSource(slot),
    Policy(date(2026, 7, 1)),
    POS,
    ca_keys_named(),
    region="999901",
    host=HostClient(url),
    pad=KeyedPad.of("123456"),
) as desk:
    visit = desk.social()
    visit.accept()
    visit.verify_pin("123456")
    visit.reload_pin("246810")
    visit.verify_pin("246810")
    visit.load(VaultSource(demo_vault("sample")), 5_000, at)
    receipt = desk.settle_medical(Bill("H-1", 1_200, 345), at, pin="246810")
    again = desk.settle_medical(Bill("H-1", 1_200, 345), at, pin="246810")
    assert again == receipt
    print(json.dumps([receipt.social.balance_fen, receipt.payment.approved, receipt.due_fen]))
"""


@contextmanager
def bank(books):
    """Yield the address of a bank with one account and the sample card."""
    opened = (
        "open",
        "6217",
        "--expiry",
        "3012",
        "--deposit-fen",
        "100000",
        "--holder-pin",
        "123456",
    )
    subprocess.run((*PROGRAM, str(books), *opened), check=True, capture_output=True)
    command = (*PROGRAM, str(books), "serve", "--port", "0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process.stderr.readline().split()[0]
        finally:
            process.kill()


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_ssse_9_a_bill_over_two_readers_and_a_bank(serve, slots, clients, tmp_path, link):
    card, sam = sample_card(), sample_psam()
    serve(PoweredSlot(card, link=link, atr=card.atr), slots[0])
    serve(PoweredSlot(sam, link=link, atr=sam.atr), slots[1])
    books = tmp_path / "bank.db"
    with bank(books) as url:
        words = (slots[0].name, slots[1].name, url)
        told = clients.run(sys.executable, "-c", VISIT, *words).splitlines()[-1]
    assert json.loads(told) == [3_800, True, 0]
    ledger = subprocess.run(
        (*PROGRAM, str(books), "ledger", "--json"), check=True, capture_output=True, text=True
    )
    found = json.loads(ledger.stdout)
    assert found["wrong"] == []
    account = next(row for row in found["accounts"] if row["number"] == "6217")
    assert account["held_fen"] == 345, "once, though the bill was handed in twice"
    assert (fsck(card.image), fsck(sam.image)) == ([], [])
