"""The social terminal on the real stack: card and PSAM in two readers of a private pcscd."""

import json
import sys

import pytest
import three_by_three
from three_by_three import CARDS, TERMINALS, table

from sscard import imagefile
from sscard.inspect import fsck
from sscard.sample import new_card, sample_card, sample_psam
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

PROGRAM = (sys.executable, "-m", "sscard")

VISIT = """
import json, sys
from datetime import date, datetime
from itertools import count
from sscard.perso.roots import demo_vault
from sscard.terminal import Policy, PsamSource, SocialTerminal, VaultSource, WrongPin
from sscard.transport.pcsc import PcscPort, reader_names

card, sam = sys.argv[1:]
assert {card, sam} <= set(reader_names())
at, told = datetime(2026, 7, 1, 10, 30), {}
with PcscPort(sam) as slot:
    source = PsamSource(slot)
    host = VaultSource(demo_vault("v2"))
    policy = Policy(date(2026, 7, 1))
    with SocialTerminal(PcscPort(card), source, policy, region="999901") as desk:
        told["atr"] = desk.accept().atr.hex().upper()
        told["holder"] = desk.holder().name
        for _ in range(6):
            try:
                desk.verify_pin("000000")
            except WrongPin as error:
                told["tries"] = error.tries_left
        desk.reload_pin("246810")
        desk.verify_pin("246810")
        told["offline"] = len(desk.read("DF04/EF06").fields)
        desk.load(host, 50000, at)
        receipt = desk.settle(12345, at)
        told["debit"] = [receipt.balance_fen, receipt.number, len(receipt.tac)]
        told["log"] = len(desk.read("DF04/EF08").rows)
        desk.update("SSSE/EF05", {0x05: date(2026, 7, 1)})
        desk.update("SSSE/EF06", {0x09: "李四"})
    with SocialTerminal(PcscPort(card), source, policy, region="999901") as desk:
        desk.accept()
        told["then"] = [desk.holder().name, str(desk.environment.issued)]
print(json.dumps(told))
"""


def powered(card, link):
    return PoweredSlot(card, link=link, atr=card.atr)


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_ssse_5_3_hospital_office_and_pin_with_card_and_psam_in_readers(
    serve, slots, clients, link
):
    card, sam = sample_card(), sample_psam()
    serve(powered(card, link), slots[0])
    serve(powered(sam, link), slots[1])
    names = slots[0].name, slots[1].name
    told = json.loads(clients.run(sys.executable, "-c", VISIT, *names).splitlines()[-1])
    assert told == {
        "atr": "3B6D00000087CF20018649999900000001",
        "holder": "张测试",
        "tries": 0,
        "offline": 3,
        "debit": [37655, 1, 4],
        "log": 1,
        "then": ["李四", "2026-07-01"],
    }
    assert fsck(card.image) == []
    assert fsck(sam.image) == []


def test_sscard_read_from_a_reader_with_the_psam_in_the_other(serve, slots, clients):
    serve(powered(sample_card(), "t0"), slots[0])
    serve(powered(sample_psam(), "t0"), slots[1])
    words = ("--reader", slots[0].name, "--psam", slots[1].name, "--today", "2026-07-01", "--json")
    found = json.loads(clients.run(*PROGRAM, "read", *words))
    assert [result["outcome"] for result in found["checks"]].count("failed") == 0
    assert found["files"][1]["items"][1]["value"] == "张测试"


def test_sscard_pin_at_a_reader_with_the_psam_as_a_file(serve, slots, clients, tmp_path):
    sam = sample_psam()
    imagefile.save(tmp_path / "psam.img", sam.image, sam.env)
    serve(powered(sample_card(), "t0"), slots[0])
    words = ("--reader", slots[0].name, "--psam", str(tmp_path / "psam.img"))
    words += ("--today", "2026-07-01")
    clients.run(*PROGRAM, "pin", "reload", *words, "--new-pin", "246810")
    assert "is right" in clients.run(*PROGRAM, "pin", "verify", *words, "--pin", "246810")


def test_a_bank_card_in_the_reader_is_another_card(serve, slots, clients):
    serve(powered(new_card("pboc"), "t0"), slots[0])
    script = """
import sys
from datetime import date
from sscard.perso.roots import demo_vault
from sscard.terminal import OtherCard, Policy, SocialTerminal, VaultSource
from sscard.transport.pcsc import PcscPort

try:
    SocialTerminal(PcscPort(sys.argv[1]), VaultSource(demo_vault()), Policy(date(2026, 7, 1)))
except OtherCard:
    print("another card")
"""
    assert clients.run(sys.executable, "-c", script, slots[0].name) == "another card\n"


def test_pcsc_what_goes_wrong_is_a_transport_error(serve, slots, clients):
    serve(powered(sample_card(), "t0"), slots[0])
    script = """
import sys
from sscard.errors import TransportError
from sscard.transport.pcsc import PcscPort, reader_names

def wrong(what, action):
    try:
        action()
    except TransportError as error:
        print(what, "|", error)

full, empty = sys.argv[1:]
wrong("unknown", lambda: PcscPort("no such reader"))
wrong("several", lambda: PcscPort("sscard"))
wrong("empty", lambda: PcscPort(empty))
port = PcscPort(full)
wrong("short", lambda: port.transmit(b"\\x00"))
assert port.reset() == port.atr
assert port.transmit(bytes.fromhex("0084000008"))[-2:] == b"\\x90\\x00"
port.close()
port.close()
wrong("closed", lambda: port.transmit(bytes(5)))
"""
    output = clients.run(sys.executable, "-c", script, slots[0].name, slots[1].name)
    lines = dict(line.split(" | ") for line in output.splitlines())
    assert list(lines) == ["unknown", "several", "empty", "short", "closed"]
    assert "no reader" in lines["unknown"]
    assert "several" in lines["several"]


@pytest.mark.parametrize(("terminal", "kind"), [cell for cell in table() if cell[0] in TERMINALS])
def test_ssse_8_terminal_and_card_in_readers(serve, slots, clients, terminal, kind):
    """The table of docs/terminal.md, with card and PSAM in two readers."""
    serve(powered(new_card(CARDS[kind]), "t0"), slots[0])
    serve(powered(sample_psam(), "t0"), slots[1])
    names = slots[0].name, slots[1].name
    told = clients.run(sys.executable, three_by_three.__file__, terminal, *names)
    assert told.strip() == table()[terminal, kind]
