"""The card against pyemv, which shares no code with it, on random transactions (pse-pboc 4, 11.9).

pyemv plays the issuer: it derives every key, expects the cryptograms, makes ARPCs, script MACs
and PIN blocks. PBOC's session key is no formula of pyemv's, so it is made with its triple DES.
"""

from functools import lru_cache
from random import Random
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_desk import ADF, ARQC, GPO, PIN_OK, TC, Desk, cryptogram, cvr, data_file, terminal_data
from pyemv import ac, kd, sm, tools

from sscard.card import Snapshot
from sscard.sample import new_card

PAN, PSN = "6210950000000000017", "00"
AIP = bytes.fromhex("7C00")
AC_ITEMS = 29
"""Bytes of the CDOL1 data that come before time and merchant: those the cryptogram covers."""
PINS = st.text("0123456789", min_size=4, max_size=12)


def digits(count):
    return st.text("0123456789", min_size=count, max_size=count)


def octets(count):
    return st.binary(min_size=count, max_size=count).map(lambda raw: raw.hex().upper())


ITEMS = st.fixed_dictionaries(
    {
        "amount": digits(12),
        "country": digits(4),
        # without SDA, DDA and CDA failures: these only matter to the next transaction
        "tvr": octets(4).map(lambda rest: "00" + rest),
        "currency": digits(4),
        "un": octets(4),
    }
)


class Keys(NamedTuple):
    """The card's keys as derived, not adjusted to parity: PIN CHANGE takes bytes of one (4.8)."""

    ac: bytes
    mac: bytes
    enc: bytes


@lru_cache(maxsize=32)
def issued(seed: str, *options: tuple[str, str]) -> tuple[Snapshot, Keys]:
    """A card with issuer keys of its own, and the card's keys as pyemv's cipher derives them."""
    mdks = [Random(f"{seed} {name}").randbytes(16) for name in ("AC", "MAC", "ENC")]
    settings = {
        f"pse.df.DF01.key.{name}.mdk": mdk.hex()
        for name, mdk in zip(("AC", "MAC", "ENC"), mdks, strict=True)
    }
    card = new_card("pboc", settings | dict(options))
    block = bytes.fromhex((PAN + PSN)[-16:])
    seed = block + bytes(byte ^ 0xFF for byte in block)
    keys = Keys(*(tools.encrypt_tdes_ecb(mdk, seed) for mdk in mdks))
    for mdk, key in zip(mdks, keys, strict=True):
        assert kd.derive_icc_mk_a(mdk, PAN, PSN) == tools.adjust_key_parity(key)
    return card.snapshot(), keys


def pboc(udk: bytes, atc: bytes) -> bytes:
    complement = bytes(byte ^ 0xFF for byte in atc)
    return tools.encrypt_tdes_ecb(udk, bytes(6) + atc + bytes(6) + complement)


def common(udk: bytes, atc: bytes) -> bytes:
    return kd.derive_common_sk(udk, atc + bytes(6))


FORMS = {
    "pboc": (pboc, pboc, ()),
    "common": (common, common, (("pse_session_keys", "emv_csk"),)),
    "vis scripts": (pboc, kd.derive_visa_sm_sk, (("pse_script_keys", "vis"),)),
    "vis mask": (pboc, pboc, (("pse_pin_change_key", "AC"),)),
}


def at(snapshot: Snapshot, atc: int) -> Desk:
    """A desk whose card has counted `atc` transactions, the last one on line."""
    card = snapshot.fork()
    card.eeprom.poke(data_file(card) + 4, atc.to_bytes(2, "big") * 2)
    return Desk(card)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
@given(atc=st.integers(0, 0xFFFC), items=ITEMS, pin=PINS, data=st.data())
def test_pse_11_9_a_transaction_with_scripts(form, atc, items, pin, data):
    derive, derive_for_scripts, options = FORMS[form]
    snapshot, keys = issued(form, *options)
    desk = at(snapshot, atc)
    assert (desk.sw(ADF), desk.sw(GPO), desk.sw(PIN_OK)) == ("9000",) * 3
    counter = (atc + 1).to_bytes(2, "big")
    session = SimpleNamespace(
        ac=derive(keys.ac, counter),
        mac=derive_for_scripts(keys.mac, counter),
        enc=derive_for_scripts(keys.enc, counter),
    )

    def expected(answer: str) -> str:
        covered = bytes.fromhex(terminal_data(**items))[:AC_ITEMS]
        message = covered + AIP + counter + bytes.fromhex(cvr(answer))
        return ac.generate_ac(session.ac, message, ac.PaddingType.EMV).hex().upper()

    first = desk.ac(ARQC, **items)
    assert cryptogram(first) == expected(first)
    ac1 = bytes.fromhex(cryptogram(first))

    def script(header: str, body: bytes = b"") -> str:
        start = bytes.fromhex(header) + bytes((len(body) + 4,))
        mac = sm.generate_command_mac(session.mac, start + counter + ac1 + body, 4)
        return (start + body + mac).hex().upper()

    arpc = ac.generate_arpc_1(session.ac, ac1, b"00").hex().upper()
    assert desk.sw(f"008200000A{arpc}3030") == "9000"
    second = desk.ac(TC, arc="3030", **items)
    assert (second[4:6], cryptogram(second)) == ("40", expected(second))

    limit = data.draw(octets(1), label="9F58")
    assert desk.sw(script("04DA9F58", bytes.fromhex(limit))) == "9000"
    assert desk.element("9F58") == limit
    known = data.draw(st.booleans(), label="P2=01")
    block = sm.format_vis_pin_block(
        keys.ac if form == "vis mask" else keys.enc, pin, "123456" if known else None
    )
    sealed = sm.encrypt_command_data(session.enc, block, sm.EncryptionType.VISA)
    assert desk.sw(script("842400" + ("01" if known else "02"), sealed)) == "9000"
    desk.begin()
    verify = sm.format_iso9564_2_pin_block(pin).hex().upper()
    assert desk.sw(f"0020008008{verify}") == "9000"
