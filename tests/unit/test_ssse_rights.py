"""ssse-lb002 4.4 and 4.7 on cards: every kind of condition, every kind of protected write.

The six conditions of 4.4 over a key of the SSSE, a key of the directory and the PIN, under every
set of proofs; then writes to transparent and cyclic files that want line protection, under both
algorithms, both flavours and both depths.
"""

from itertools import chain, combinations

import pytest
from ssse_desk import SM4, TDES, Desk

from sscard.builder import build
from sscard.card import Card
from sscard.keys import engine
from sscard.keys.session import session_algorithm, session_key
from sscard.perso.profile import Profile

# ---- 4.4 -----------------------------------------------------------------------------------------

PROOFS = ("PIN", "K0A", "K83")
SETS = list(chain.from_iterable(combinations(PROOFS, n) for n in range(4)))
CONDITIONS = {
    "-": lambda proved: True,
    "FF": lambda proved: False,
    "PIN": lambda proved: "PIN" in proved,
    "K0A": lambda proved: "K0A" in proved,
    "K83": lambda proved: "K83" in proved,
    "PIN&K83": lambda proved: {"PIN", "K83"} <= set(proved),
    "K0A&K83": lambda proved: {"K0A", "K83"} <= set(proved),
    "PIN&K0A": lambda proved: {"PIN", "K0A"} <= set(proved),
    "PIN|K83": lambda proved: bool({"PIN", "K83"} & set(proved)),
    "K0A|K83": lambda proved: bool({"K0A", "K83"} & set(proved)),
    "PIN|K0A": lambda proved: bool({"PIN", "K0A"} & set(proved)),
}
EF05, EF06, EF16 = (f"ssse.df.DF01.ef.{name}" for name in ("EF05", "EF06", "EF16"))
RECORD = "2002" + "3031"


def application(profile, fid):
    return next(found for found in profile.ssse.directories if found.fid == fid)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_ssse_4_4_conditions_under_every_set_of_proofs(condition):
    """Read of EF05, update of EF06 and of the transparent EF16: each by itself."""
    changes = {f"{EF05}.read": condition, f"{EF06}.update": condition, f"{EF16}.update": condition}
    changes |= {f"{EF05}.update": "FF", f"{EF06}.read": "-", f"{EF16}.read": "FF"}
    profile = Profile.load("v2", changes)
    image = build(profile)
    keys = {"K0A": (profile.ssse, 0x0A), "K83": (application(profile, 0xDF01), 0x83)}
    for proved in SETS:
        desk = Desk(Card.from_image(image)).ssse("DF01")
        for proof in proved:
            if proof == "PIN":
                assert desk.pin() == "9000"
            else:
                directory, kid = keys[proof]
                assert desk.prove(kid, directory.key(0x0D, kid).value) == "9000"
        expected = "9000" if CONDITIONS[condition](proved) else "6982"
        assert desk.sw("00B2012C00") == expected, proved
        assert desk.sw(f"00DC012C04{RECORD}") == "6982", "never"
        before = desk.data("00B2013400")
        item = before[:4] + "41" * (len(before) // 2 - 2)
        assert desk.sw(f"00DC0134{len(item) // 2:02X}{item}") == expected, proved
        assert desk.data("00B2013400") == (item if expected == "9000" else before)
        assert desk.sw("00D6960002" + "0102") == expected, proved
        assert desk.sw("00B0960002") == "6982", "never"


# ---- 4.7 -----------------------------------------------------------------------------------------

BINARY, CYCLIC = "ssse.ef.EF07.sm_update", "ssse.df.DF02.ef.EF07.sm_update"
ROW = bytes(range(0x55))
FORMS = [
    (profile, protection, mode)
    for profile in ("v2", "v3")
    for protection in ("mac", "enc_mac")
    for mode in ("session", "pboc_iv")
]


class Writer:
    """A card whose fingerprint and employment record want line protection."""

    def __init__(self, name, protection, mode):
        changes = {BINARY: protection, CYCLIC: protection, "sm_mode": mode}
        self.profile = Profile.load(name, changes)
        self.desk = Desk(
            Card.from_image(build(self.profile)), algorithm=SM4 if name == "v3" else TDES
        )
        self.enciphered = protection == "enc_mac"
        self.session = mode == "session"

    def command(self, header, stk, data):
        """The protected command, over a fresh challenge."""
        algorithm = self.desk.algorithm
        challenge = self.desk.challenge()
        if self.enciphered:
            key, kind = stk, algorithm
            if self.session:
                key = session_key(algorithm, stk, challenge)
                kind = session_algorithm(algorithm)
            plain = bytes((len(data),)) + data
            block = engine(kind, key).block
            if len(plain) % block:
                plain += b"\x80"
                plain += bytes(-len(plain) % block)
            data = engine(kind, key).encrypt(plain)
        make = self.desk.protected if self.session else self.desk.protected_directly
        return make(header, stk, challenge, data.hex())

    def prove(self, directory, kid):
        assert self.desk.prove(kid, directory.key(0x0D, kid).value) == "9000"


@pytest.mark.parametrize(("name", "protection", "mode"), FORMS)
def test_ssse_4_7_update_binary(name, protection, mode):
    writer = Writer(name, protection, mode)
    ssse, desk = writer.profile.ssse, writer.desk.ssse()
    stk, data = ssse.key(0x07, 0x02).value, bytes.fromhex("0102030405")
    right = writer.command("04D68700", stk, data)
    assert desk.sw(right) == "6982", "the MAC is right, the key of the file is not proved"
    writer.prove(ssse, 0x0A)
    writer.prove(ssse, 0x04)
    blank = desk.data("00B0870006")
    assert desk.sw("00D68700020102") == "6982", "without protection"
    wrong = bytearray.fromhex(writer.command("04D68700", stk, data))
    wrong[-1] ^= 1
    assert desk.sw(wrong.hex()) == "6988"
    assert desk.data("00B0870006") == blank
    assert desk.sw(writer.command("04D68700", stk, data)) == "9000"
    assert desk.data("00B0870006") == data.hex().upper() + blank[10:]


@pytest.mark.parametrize("header", ["04DC003B", "04DC003C", "04E20038"])
@pytest.mark.parametrize(("name", "protection", "mode"), FORMS)
def test_ssse_4_7_a_new_row_of_a_cyclic_file(name, protection, mode, header):
    writer = Writer(name, protection, mode)
    folder, desk = application(writer.profile, 0xDF02), writer.desk.ssse("DF02")
    stk = folder.key(0x07, 0x82).value
    writer.prove(folder, 0x85)
    assert desk.pin() == "9000"
    assert desk.sw("00DC003B55" + ROW.hex()) == "6982", "without protection"
    assert desk.sw("00B2013C00") == "6A83"
    assert desk.sw(writer.command(header, stk, ROW)) == "9000"
    assert desk.data("00B2013C00") == ROW.hex().upper()
    assert desk.sw(writer.command(header, stk, ROW[:-1])) == "6700", "not the row's length"
    assert desk.sw("00B2023C00") == "6A83"
