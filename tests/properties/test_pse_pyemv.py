"""pse-pboc 4: what a card computes is what pyemv computes, through whole transactions.

With EMV's common session keys, for pyemv has no session key of PBOC's; the rest of section 4 is
the same for both. Random PANs, issuer keys, amounts, ATCs and PINs.
"""

from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyemv import ac, kd, sm

from sscard.testing.pse_machine import PseMachine, Terms
from sscard.testing.pse_subjects import Bank

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
KEYS = st.binary(min_size=16, max_size=16).filter(lambda key: key[:8] != key[8:])
PANS = st.text("0123456789", min_size=12, max_size=19)
PINS = st.text("0123456789", min_size=4, max_size=12)


def odd(key):
    """A key with the parity that pyemv gives to what it derives."""
    return bytes(byte & 0xFE | (byte >> 1).bit_count() & 1 ^ 1 for byte in key)


class Emv(Bank):
    """A bank whose computer is pyemv."""

    def __init__(self, bank, mdks, pan):
        self.__dict__.update(bank.__dict__)
        self.masters = {
            kind: kd.derive_icc_mk_a(mdk, pan, "00")
            for kind, mdk in zip(("AC", "MAC", "ENC"), mdks, strict=True)
        }

    def session_key(self, kind, atc):
        return kd.derive_common_sk(self.masters[kind], atc.to_bytes(2, "big") + bytes(6))

    def cryptogram(self, atc, data):
        return ac.generate_ac(self.session_key("AC", atc), data, ac.PaddingType.EMV)

    def arpc(self, atc, ac1, arc):
        return ac.generate_arpc_1(self.session_key("AC", atc), ac1, arc)

    def script_mac(self, atc, ac1, header, data):
        message = header + atc.to_bytes(2, "big") + ac1 + data
        return sm.generate_command_mac(self.session_key("MAC", atc), message, 4)

    def idd_mac(self, atc, amounts):
        message = atc.to_bytes(2, "big") + amounts
        message += bytes(-len(message) % 8)
        return sm.generate_command_mac(self.session_key("MAC", atc), message, 4)

    def pin_change(self, atc, new, current):
        block = sm.format_vis_pin_block(self.keys["ENC"], new, current)
        session = self.session_key("ENC", atc)
        return sm.encrypt_command_data(session, block, sm.EncryptionType.VISA)


def table(mdks, pan, atc=1, issuer="0701010300000001"):
    """A card of these keys, and pyemv as the bank beside it."""

    class Table(PseMachine):
        settings: ClassVar = {
            "pse_session_keys": "emv_csk",
            "pse.df.DF01.pan": pan,
            **{
                f"pse.df.DF01.key.{kind}.mdk": mdk.hex().upper()
                for kind, mdk in zip(("AC", "MAC", "ENC"), mdks, strict=True)
            },
        }

        def banked(self, bank):
            return Emv(bank, mdks, pan)

    player = Table()
    elements = f"9F510201569F520282409F5601809F570201569F3602{atc:04X}9F130200019F5801FF"
    player.personalise({"0E01": elements, "9200": f"9F10{len(issuer) // 2:02X}{issuer}"})
    return player


@settings(max_examples=60, deadline=None)
@given(
    mdks=st.tuples(KEYS, KEYS, KEYS),
    pan=PANS,
    atc=st.integers(1, 0xFFF0),
    amount=st.integers(0, 10**12 - 1),
    un=st.integers(0, 2**32 - 1),
    arc=st.sampled_from(("3030", "3130", "3035")),
    kind=st.sampled_from(("", "0A02", "0F04")),
    pins=st.tuples(PINS, PINS),
)
def test_pse_4_the_card_computes_as_pyemv_does(mdks, pan, atc, amount, un, arc, kind, pins):
    player = table(mdks, pan, atc, f"0701010300000001{kind}")
    for name, mdk in zip(("AC", "MAC", "ENC"), mdks, strict=True):
        assert odd(player.bank.keys[name]) == kd.derive_icc_mk_a(mdk, pan, "00")
    terms = Terms(amount=amount, un=un)
    player.open()
    player.verify("right")
    player.generate(0x80, terms, arc)
    here = player.model.session
    player.external("", arc)
    first, second = pins
    player.issuing("84240002", player.bank.pin_change(here.atc, first, None))
    player.issuing("84240001", player.bank.pin_change(here.atc, second, first))
    assert player.model.debit.pin == second
    player.generate(0x40, terms, arc)
    for name in ("limit", "block", "unblock", "record"):
        player.issue(name, "", un & 1)
    player.open()
    player.verify("right")
    player.generate(0x40, terms, "5933")
    assert player.model.state["scf"] == 0
