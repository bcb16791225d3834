"""The national reader interface on the real stack: card and PSAM in two readers of a pcscd."""

import json
import sys

import pytest
from national_bench import BASIC, CARD_INFO, desk, history_card, ok, paid
from national_client import SOURCE, Client, compiled

from sscard.inspect import fsck
from sscard.sample import sample_psam
from sscard.terminal.national import Code
from sscard.transport.memory import PoweredSlot

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd", "pyscard")]

COUNTER = """
import json, sys
from itertools import count
from sscard.perso.roots import demo_vault
from sscard.terminal.national import Equipment, FixedPad, HsmDesk, NationalReader
from sscard.transport.pcsc import PcscPort

card, sam, info = sys.argv[1:]
told = {}
pad = FixedPad("246810", "135790")
device = {"contact": lambda: PcscPort(card), "pad": pad, "device": "TEST0001"}
with_psam = NationalReader(Equipment(psam=lambda: PcscPort(sam), **device))
told["basic"] = with_psam.iReadCardBas(1)
told["debit"] = with_psam.iDoDebit(1, info, "123.45|0|20260701103000|")
told["record"] = with_psam.iReadDebitRecord(1)

hsm = HsmDesk(demo_vault("v2"), next_number=count(1).__next__)
reader = NationalReader(Equipment(**device))
step = reader.iReadCardBas_HSM_Step1(1)
told["hsm basic"] = reader.iReadCardBas_HSM_Step2(hsm.basic(step.out))
who = hsm.card_of(step.out)
step = reader.iWriteCard_HSM_Step1(1, info, "SSSEEF06|09|$")
told["hsm write"] = reader.iWriteCard_HSM_Step2(hsm.authenticate(who, step.out), "SSSEEF06|李四|$")
step = reader.iReadCard_HSM_Step1(1, info, "DF01EF06|28|$")
told["hsm read"] = reader.iReadCard_HSM_Step2(hsm.authenticate(who, step.out))
step = reader.iDoDebit_HSM_Step1(1, info, "1|0|20260702103000|")
step = reader.iDoDebit_HSM_Step2(hsm.mac1(who, step.out))
hsm.settle(step.out)
told["hsm debit"] = step
step = reader.iReloadPIN_HSM_Step1(1, info)
step = reader.iReloadPIN_HSM_Step2(hsm.authenticate(who, step.out))
told["hsm reload"] = reader.iReloadPIN_HSM_Step3(hsm.command(who, step.out))
step = reader.iUnblockPIN_HSM_Step1(1, info)
step = reader.iUnblockPIN_HSM_Step2(hsm.authenticate(who, step.out))
told["hsm unblock"] = reader.iUnblockPIN_HSM_Step3(hsm.command(who, step.out))
told["old pin"] = reader.iVerifyPIN(1)

told["psam"] = NationalReader(Equipment(contact=lambda: PcscPort(sam))).iReadCardBas(1)
told["none"] = NationalReader(Equipment(contact=lambda: PcscPort("no such"))).iReadCardBas(1)
print(json.dumps(told))
"""


def powered(card, link):
    return PoweredSlot(card, link=link, atr=card.atr)


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_ssse_5_3_psam_and_hsm_flows_with_card_and_psam_in_readers(serve, slots, clients, link):
    card, sam = paid(history_card()), sample_psam()
    serve(powered(card, link), slots[0])
    serve(powered(sam, link), slots[1])
    names = slots[0].name, slots[1].name
    told = json.loads(
        clients.run(sys.executable, "-c", COUNTER, *names, CARD_INFO).splitlines()[-1]
    )
    done = "123.45|20260701103000|376.55|"
    assert told["basic"] == [0, BASIC]
    assert told["debit"][1].startswith(f"999901000001|00000001|0000|05|{done}")
    assert told["record"] == [0, "0000|05|999901000001|20260701103000|123.45|376.55|123.45|$"]
    assert told["hsm basic"] == [0, BASIC.replace("|999901000001|", "|000000000000|")]
    assert told["hsm read"] == [0, "DF01EF06||$"]
    assert told["hsm debit"][0] == 0
    assert told["hsm write"] == told["hsm reload"] == told["hsm unblock"] == [0, ""]
    assert told["old pin"] == [-51, "PIN校验失败，剩余次数5次"]
    assert told["psam"][0] == Code.WRONG_CARD_TYPE
    assert told["none"][0] == Code.READER
    assert fsck(card.image) == []
    assert fsck(sam.image) == []


def test_an_empty_reader_has_no_card(slots, clients):
    script = """
import sys
from sscard.terminal.national import Equipment, NationalReader
from sscard.transport.pcsc import PcscPort
print(NationalReader(Equipment(contact=lambda: PcscPort(sys.argv[1]))).iReadCardBas(1).code.value)
"""
    assert clients.run(sys.executable, "-c", script, slots[0].name) == "-2\n"


@pytest.mark.requires("cc")
def test_the_c_library_with_card_and_psam_in_readers(serve, slots, clients, tmp_path):
    serve(powered(paid(history_card()), "t0"), slots[0])
    serve(powered(sample_psam(), "t0"), slots[1])
    hsm = desk()
    keys = {"CARD": slots[0].name, "PSAM": slots[1].name, "PIN": "246810", "DEVICE": "TEST0001"}
    environment = {f"SSCARD_NATIONAL_{name}": value for name, value in keys.items()}
    with Client(compiled(SOURCE, tmp_path), clients.environment | environment) as call:
        assert call("iReadCardBas", 3) == (0, BASIC)
        assert call("iVerifyPIN", 1) == (0, "")
        assert call("iWriteCard", 1, CARD_INFO, "SSSEEF06|09|$", "SSSEEF06|李四|$") == (0, "")
        assert ok(call("iDoDebit", 1, CARD_INFO, "1|0|20260701103000|")).split("|")[6] == "499.00"
        played = hsm.basic(ok(call("iReadCardBas_HSM_Step1", 1)))
        basic = ok(call("iReadCardBas_HSM_Step2", played))
        assert basic.split("|")[4] == "李四"
