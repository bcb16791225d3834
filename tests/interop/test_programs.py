"""EMV programs nobody here wrote read the bank's application: cardpeek, emvtool, Java.

Each sees the card through a private pcscd, answering with 61xx and 6Cxx ("t0") and at once
("apdu"); each is judged by what it read, not by how it ended.
"""

import re
import subprocess
from pathlib import Path

import pytest

from sscard.cos.trace import Exchanged
from sscard.iso.tlv import find, parse
from sscard.sample import new_card
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd")]
LINKS = pytest.mark.parametrize("link", ["t0", "apdu"])

PROGRAMS = Path(__file__).parent / "programs"
EMVTOOL = Path(__file__).parents[2] / ".venv-emv/bin/emvtool"
ATR = "3B6D00000087CF20018649999900000001"
PAN = "6210950000000000017F"
OUTPUT_MAX, TIME_MAX_S = 200_000, 30


def capped(clients, *command, text="", folder=None):
    """Run a program that may print or wait for ever: so much output and time, and no more."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clients.environment,
        cwd=folder,
    ) as process:
        try:
            process.stdin.write(text.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        killer = subprocess.Popen(["sh", "-c", f"sleep {TIME_MAX_S}; kill -9 {process.pid}"])
        try:
            return process.stdout.read(OUTPUT_MAX).decode("utf-8", "replace")
        finally:
            killer.kill()
            killer.wait()
            process.kill()


# ---- cardpeek ------------------------------------------------------------------------------------


@pytest.fixture
def peek(clients, tmp_path, require):
    """`peek(slot)`: the tree of cardpeek's EMV script, (label, id, value, meaning) a node.

    Its first run unpacks the scripts and then asks for ever that it be restarted.
    """
    require("cardpeek")
    capped(clients, "cardpeek", "-c", "-e", "return 0", text="1\n1\nexit\n")
    scripts = tmp_path / ".cardpeek/scripts"
    assert (scripts / "emv.lua").exists()

    def run(slot):
        words = ("-c", "-r", f"pcsc://{slot.name}", "-e", f'dofile("{PROGRAMS}/tree.lua")')
        output = capped(clients, "cardpeek", *words, text="1\n" * 8, folder=scripts)
        lines = re.findall(r"^(?:.*\x1b\[0m)?TREE\|(.*)$", output, re.MULTILINE)
        assert lines, output[:4000]
        return [tuple(line.split("|", 3)) for line in lines]

    return run


@LINKS
def test_pse_1_cardpeek_lists_records_and_data(serve, slots, peek, link):
    card = new_card("pboc")
    serve(PoweredSlot(card, link=link, atr=card.atr))
    tree = peek(slots[0])
    values = {identity: value for _, identity, value, _ in tree if value}
    meanings = {identity: meaning for _, identity, _, meaning in tree}
    assert values["4F"] == "A000000333010101"
    assert (values["82"], values["94"]) == ("7C00", "080101001001020118010300")
    assert values["57"] == "6210950000000000017D30126200000012345F"
    assert (values["5A"], values["5F24"], values["5F34"]) == (PAN, "301231", "00")
    assert values["8C"] == "9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14"
    assert values["9F32"] == "03"
    assert len(values["90"]) == len(values["93"]) + 32 == 288
    assert (values["9F36"], values["9F13"], values["9F17"]) == ("0001", "0000", "03")
    assert values["9F4F"] == "9A039F21039F02069F03069F1A025F2A029F4E149C019F3602"
    assert meanings["5F20"] == "TEST CARDHOLDER"
    records = [identity for label, identity, _, _ in tree if label == "record"]
    assert records[:6] == ["1", "1", "1", "2", "1", "2"]


# ---- emvtool -------------------------------------------------------------------------------------


@pytest.fixture
def emvtool(clients, require):
    """`emvtool(*words)`: what PyPI's emv prints, without its frames."""
    require("emvtool")

    def run(*words):
        output = capped(clients, str(EMVTOOL), *words)
        return re.sub(r"\x1b\(0.*?\x1b\(B|\x1b\[\d+m", "|", output)

    return run


@LINKS
def test_pse_1_emvtool_info_and_appdata(serve, emvtool, link):
    """It reads PANs as numbers, so the card is the one with sixteen digits."""
    card = new_card("pboc-16")
    serve(PoweredSlot(card, link=link, atr=card.atr))
    shown = emvtool("info")
    assert '"PBOC DEBIT"' in shown
    assert "[A0 00 00 03 33 01 01 01]" in shown
    assert '"TEST CARDHOLDER"' in shown
    assert "Certification Authority Public Key Index | [80]" in shown
    for name, value in (("pin_retries", "3"), ("atc", "0"), ("last_online_atc", "0")):
        assert re.search(rf"{name}\s*\|+\s*{value} ", shown), shown[-800:]
    shown = emvtool("appdata", "0")
    pan = re.search(r"Primary Account Number \(PAN\)\s*\|+\s*(\d{16})\b", shown)
    assert pan, shown
    assert pan[1].startswith("621095")
    assert "CNY" in shown
    assert card.power_on().transmit(bytes.fromhex("00A4040008A000000333010101"))[-2:] == b"\x90\x00"


@LINKS
def test_pse_2_6_emvtool_cap_makes_its_code_of_an_answer_with_tags(serve, emvtool, link):
    """Of format 1 it expects a 9F10 of seven bytes; with tags it needs no such guess."""
    card = new_card("pboc-16", {"pse_ac_format": "77"})
    exchanged = []
    card.trace(lambda event: exchanged.append(event) if isinstance(event, Exchanged) else None)
    serve(PoweredSlot(card, link=link, atr=card.atr))
    code = emvtool("-p", "123456", "cap", "-c", "12345678", "-a", "10.00").split()[-1]
    assert code.isdigit()
    answer = next(e.response for e in exchanged if e.response[:1] == b"\x77")
    items = dict(parse(find(answer[:-2], 0x77)))
    assert items[0x9F27] == b"\x80"
    data = items[0x9F27] + items[0x9F36] + items[0x9F26] + items[0x9F10]
    assert int(code) == masked_by_the_visa_bitmap(data)


def masked_by_the_visa_bitmap(data):
    """The bits of a cryptogram that CAP shows, by the bitmap the tool takes where a card has none."""
    bitmap = bytes.fromhex("0000FFFFFF00000000000000000000 20B938".replace(" ", ""))
    shown = 0
    for mask, value in zip(bitmap, data, strict=False):
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            if mask & bit:
                shown = shown << 1 | bool(value & bit)
    return shown


@LINKS
def test_pse_4_4_emvtool_cap_goes_to_an_arqc(serve, emvtool, link):
    """It verifies the PIN and asks for the ARQC; what it makes of the answer is its own."""
    card = new_card("pboc")
    exchanged = []
    card.trace(lambda event: exchanged.append(event) if isinstance(event, Exchanged) else None)
    serve(PoweredSlot(card, link=link, atr=card.atr))
    assert "Invalid PIN" in emvtool("-p", "1111", "cap")
    assert not [e for e in exchanged if e.command[:2] == b"\x80\xae"]
    emvtool("-p", "123456", "cap", "-c", "12345678")
    asked = [e for e in exchanged if e.command[:2] == b"\x80\xae"]
    assert [e.command[2] for e in asked] == [0x80]
    assert bytes.fromhex("12345678") in asked[0].command
    assert card.power_on().transmit(bytes.fromhex("00A4040008A000000333010101"))[-2:] == b"\x90\x00"


# ---- Java ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def java_client(tmp_path_factory, require):
    """The compiled program, once a run."""
    require("java")
    folder = tmp_path_factory.mktemp("java")
    subprocess.run(["javac", "-d", str(folder), str(PROGRAMS / "Debit.java")], check=True)
    library = next(Path("/usr/lib").glob("*/libpcsclite.so.1"))
    return ("java", f"-Dsun.security.smartcardio.library={library}", "-cp", str(folder), "Debit")


@LINKS
def test_pse_11_3_java_pays_as_far_as_the_arqc(serve, slots, clients, java_client, link):
    """javax.smartcardio fetches 61xx itself and repeats 6Cxx; a case 4 command keeps no Le."""
    card = new_card("pboc")
    serve(PoweredSlot(card, link=link, atr=card.atr))
    cdol1 = (
        "000000012345000000000000015600000080000156260701"
        "00A1B2C3D410304554455354204D45524348414E5420303030303031"
    )
    commands = (
        "00A404000E315041592E5359532E444446303100",
        "00B2010C00",
        "00A4040008A00000033301010100",
        "80A8000002830000",
        "00B2010C00",
        "80CA9F3600",
        "0088000004A1B2C3D400",
        "002000800826123456FFFFFFFF",
        f"80AE800034{cdol1}00",
        "008200000A16E77895E0513B623030",
        f"80AE4000363030{cdol1}00",
    )
    atr, *answers = clients.run(*java_client, slots[0].name, *commands).splitlines()
    assert atr == f"atr {ATR}"
    told = [line.removeprefix("answer ") for line in answers]
    assert told[0] == "6F1E840E315041592E5359532E4444463031A50C8801015F2D027A689F1101019000"
    assert told[1].startswith("702861264F08A000000333010101")
    assert told[3] == "800E7C000801010010010201180103009000"
    assert told[4].startswith("704057136210950000000000017D3012")
    assert told[5] == "9F360200019000"
    assert told[6].startswith("80603AC8F6C9372956E4781AC6E6DEDF")
    assert told[7:] == [
        "9000",
        "8013800001F126D638723D8BFC07010103A41002019000",
        "9000",
        "8013400001BF0C0717E6D3496C07010103641002019000",
    ]
