"""Real cards on the real stack: what programs nobody here wrote read from them.

Both ways of answering: "t0" with 61xx and 6Cxx, as `sscard serve` does, and "apdu" at once.
"""

import re
import signal
import subprocess
from pathlib import Path

import pytest
from served import PROGRAM, Served

from sscard import imagefile
from sscard.card import Card
from sscard.inspect import fsck
from sscard.inspect.values import stored
from sscard.sample import new_card, sample_card
from sscard.transport.memory import PoweredSlot
from sscard.transport.readers import reader_states

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd")]

SPEC = Path(__file__).parents[1] / "spec"

ATR = "3B6D00000087CF20018649999900000001"
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"
PSE = "00A404000E315041592E5359532E4444463031"
PSE_FCI = "6F1E840E315041592E5359532E4444463031A50C8801015F2D027A689F110101"
DIRECTORY = "702861264F08A000000333010101500A50424F432044454249548701019F120A50424F43204445424954"
CARD_ID = "0110999901D15600000500000001F0E44726"
NUMBER = "0812393939393031313939303031303131323332"
NAME = "091ED5C5B2E2CAD4" + "00" * 24

# What every driver does with a T=0 card (ISO 7816-3): fetch what waits, repeat with the right Le.
DRIVER = """
def answer(c, text):
    data, reply = "", transmit(c, text)
    if reply[-4:-2] == "6C":
        reply = transmit(c, text[:8] + reply[-2:])
    while reply[-4:-2] == "61":
        data += reply[:-4]
        reply = transmit(c, "00C00000" + reply[-2:])
    return data + reply
"""


def powered(card, link="t0"):
    return PoweredSlot(card, link=link, atr=card.atr)


def hex_of(output):
    """Pairs of hex digits in a program's output, without what else it says."""
    return "".join(re.findall(r"\b[0-9A-Fa-f]{2}\b(?!:)", output)).upper()


@pytest.fixture
def sample():
    return sample_card()


# ---- one card, both links ------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_pyscard_reads_both_environments(serve, slots, clients, sample, link):
    serve(powered(sample, link))
    script = (
        DRIVER
        + """
c = connection(args[0]); c.connect()
tell([bytes(c.getATR()).hex().upper()] + [answer(c, text) for text in args[1:]])
"""
    )
    commands = [SSSE, "00B2012C00", "00B2083000", "00B2093000", PSE, "00B2010C00", "00B2020C00"]
    atr, *answers = clients.pyscard(script, slots[0].name, *commands)
    assert atr == ATR
    assert answers == [
        *(FCI + "9000", CARD_ID + "9000", NUMBER + "9000", NAME + "9000"),
        *(PSE_FCI + "9000", DIRECTORY + "9000", "6A83"),
    ]


@pytest.mark.parametrize(("link", "first"), [("t0", "6118"), ("apdu", FCI + "9000")])
def test_cos_1_6_what_is_on_the_wire(serve, slots, clients, sample, link, first):
    serve(powered(sample, link))
    script = "c = connection(args[0]); c.connect(); tell(transmit(c, args[1]))"
    assert clients.pyscard(script, slots[0].name, SSSE + "00") == first


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_opensc_tool_reads_the_card(serve, slots, clients, sample, link):
    serve(powered(sample, link))
    atr = clients.opensc_tool(slots[0], "-a")
    assert atr.strip().replace(":", "").upper() == ATR
    select = SSSE + "00"  # without Le it would not fetch what a T=0 card has waiting
    sends = [option for text in (select, "00B2052800", "00B2083000") for option in ("-s", text)]
    output = clients.opensc_tool(slots[0], "-c", "default", *sends)
    assert "SW1=0x90, SW2=0x00" in output
    assert "SW1=0x6" not in output
    read = hex_of(output)
    assert FCI in read
    assert "050420240115" in read
    assert NUMBER in read


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_scriptor_runs_the_plain_file(serve, slots, clients, sample, link):
    serve(powered(sample, link))
    lines = (SPEC / "plain.scriptor").read_text("utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith(";")]
    read = hex_of(clients.scriptor(slots[0], *commands))
    assert "0504202401159000" in read
    assert ("6108" if link == "t0" else "70927040DD33EED59000") in read


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_pcsc_scan_shows_the_card(serve, slots, clients, sample, link):
    serve(powered(sample, link))
    output = clients.pcsc_scan()
    assert slots[0].name in output
    assert " ".join(re.findall("..", ATR)) in output


def test_pse_11_3_an_online_debit_over_pcscd(serve, slots, clients, sample):
    """Terminal and bank of the demo in a process of their own: ARQC, ARPC and TC agree."""
    serve(powered(sample))
    script = """
from sscard.cli.demo.client import Client
from sscard.cli.demo.debit import pay
from sscard.cli.demo.report import Chapter
c = connection(args[0]); c.connect()
chapter = Chapter("debit")
pay(Client(lambda apdu: bytes.fromhex(transmit(c, apdu.hex()))), chapter)
tell([check.computed.hex().upper() for check in chapter.checks][1:])
"""
    computed = clients.pyscard(script, slots[0].name)
    assert computed == ["F126D638723D8BFC", "16E77895E0513B62", "BF0C0717E6D3496C"]
    assert stored(sample.image, "pse.atc") == 1


def test_a_power_cycle_forgets_the_pin(serve, slots, clients, sample):
    serve(powered(sample))
    script = (
        DRIVER
        + """
from smartcard.scard import SCARD_UNPOWER_CARD
steps = (args[1], "0020000003123456", "00A4000002DF01", "00B2283000")
c = connection(args[0]); c.connect()
before = [answer(c, text)[-4:] for text in steps]
c.disconnect(); c = connection(args[0]); c.connect(disposition=SCARD_UNPOWER_CARD)
c.reconnect(disposition=SCARD_UNPOWER_CARD)
tell([before, [answer(c, text)[-4:] for text in (steps[0], *steps[2:])]])
"""
    )
    before, after = clients.pyscard(script, slots[0].name, SSSE)
    assert before == ["9000"] * 4
    assert after == ["9000", "9000", "6982"]


# ---- two cards -----------------------------------------------------------------------------------


def test_two_cards_in_two_readers_at_once(serve, slots, clients, sample):
    other = new_card(
        "v2",
        {"atr.historical": "0087CF20018649999900000002", "ssse.ef.EF06.values.09": "李四"},
    )
    serve(powered(sample), slots[0])
    serve(powered(other, "apdu"), slots[1])
    script = (
        DRIVER
        + """
one, two = (connection(name) for name in args[:2])
one.connect(); two.connect()
told = []
for text in args[2:]:
    told.append([answer(one, text), answer(two, text)])
tell([bytes(one.getATR()).hex().upper(), bytes(two.getATR()).hex().upper(), told])
"""
    )
    names = [slot.name for slot in slots]
    first, second, told = clients.pyscard(script, *names, SSSE, "00B2093000", "00B2012C00")
    assert (first, second) == (ATR, ATR[:-2] + "02")
    assert told[0] == [FCI + "9000"] * 2
    assert told[1] == [
        NAME + "9000",
        "091E" + "李四".encode("gbk").hex().upper() + "00" * 26 + "9000",
    ]
    assert told[2][0] == CARD_ID + "9000"
    assert told[2][1].startswith("0110999901D15600000500000002")


# ---- the program ---------------------------------------------------------------------------------


@pytest.fixture
def card_file(tmp_path, sample):
    path = tmp_path / "card.img"
    imagefile.save(path, sample.image, sample.env)
    return path


def test_serve_with_its_own_pcscd(card_file, clients_of, slots):
    with Served(card_file, "--sample", "--with-pcscd") as served:
        assert [reader["atr"] for reader in served.facts["readers"]] == [ATR, ATR]
        ((variable, comm),) = served.facts["environment"].items()
        assert variable == "PCSCLITE_CSOCK_NAME"
        names = {state.name for state in reader_states(Path(comm))}
        assert {reader["reader"] for reader in served.facts["readers"]} <= names

        class Daemon:
            environment = served.facts["environment"]

        script = (
            DRIVER
            + """
c = connection(args[0]); c.connect()
tell([answer(c, text) for text in args[1:]])
"""
        )
        name = served.facts["readers"][0]["reader"]
        wrong_pin = "0020000003999999"
        answers = clients_of(Daemon).pyscard(script, name, SSSE, "00B2052800", wrong_pin)
        assert answers == [FCI + "9000", "0504202401159000", "63C5"]
        code, _, errors = served.end()
    assert code == 0
    assert "Traceback" not in errors
    assert "removed" in errors
    assert not Path(comm).exists()
    image, env = imagefile.load(card_file)
    assert stored(image, "pin.tries_left") == 5
    assert env.power_ons > 1
    assert fsck(image) == []


def test_serve_leaves_on_ctrl_c(card_file, slots):
    with Served(card_file, "--port", slots[0].port) as served:
        assert served.facts["pid"] == served.process.pid
        assert served.end(signal.SIGINT)[0] == 0
    with Card.open(card_file) as card:  # nobody holds the file any more
        assert card.power_on().atr.hex().upper() == ATR


def test_a_served_file_is_locked(card_file, slots):
    with Served(card_file, "--port", slots[0].port) as served:
        assert served.facts
        for command in (
            ("serve", str(card_file), "--port", str(slots[1].port)),
            ("apdu", str(card_file), "--save", SSSE),
            ("new", str(card_file), "--force"),
        ):
            done = subprocess.run(
                (*PROGRAM, *command), capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 3
            assert str(card_file) in done.stderr
            assert done.stderr.count("\n") == 1
        looked = subprocess.run(
            (*PROGRAM, "apdu", str(card_file), SSSE), capture_output=True, text=True, check=False
        )
        assert looked.returncode == 0
        assert FCI in looked.stdout


def test_serve_without_a_reader_says_what_to_do(card_file):
    with Served(card_file, "--port", "1") as served:
        output, errors = served.process.communicate(timeout=20)
    assert served.process.returncode == 3
    assert output == ""
    assert "no reader" in errors
    assert "--with-pcscd" in errors
    assert "Traceback" not in errors


def test_serve_trace_masks_secrets(card_file, slots, clients, pcscd):
    process = subprocess.Popen(
        (*PROGRAM, "serve", str(card_file), "--port", str(slots[0].port), "--trace", "--direct"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        pcscd.wait(slots[0], present=True)
        script = "c = connection(args[0]); c.connect(); tell([transmit(c, t) for t in args[1:]])"
        clients.pyscard(script, slots[0].name, SSSE, "0020000003123456", "00B2093000")
    finally:
        process.terminate()
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "VERIFY" in output
    assert "READ RECORD" in output
    assert "123456" not in output
    assert "D5C5B2E2CAD4" not in output
