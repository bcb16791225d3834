"""Cryptogram, issuer application data, the answer of GENERATE AC (pse-pboc 2.6, 4.4-4.6).

Pure but for the keys, which the application lends, and the virtual time they cost.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sscard.apps.pse.application import Application
from sscard.apps.pse.cvr import Ac
from sscard.apps.pse.dol import Dol
from sscard.apps.pse.layout import Counters
from sscard.apps.pse.numbers import to_n12
from sscard.apps.pse.risk import Verdict
from sscard.apps.pse.signature import dynamic_signature
from sscard.cos.objects import KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW
from sscard.iso.tlv import encode
from sscard.keys import pboc
from sscard.keys.rsa import digest

__all__ = ["BALANCE", "Cryptogram", "answer", "compute", "issuer_application_data"]

_AC_ITEMS = Dol.parse(bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F3704"))
"""The terminal's part of the CVN 01 input, 29 bytes (4.4)."""
_SHORT_ITEMS = Dol.parse(bytes.fromhex("9F02069F3704"))
"""The same for CVN 17, 10 bytes."""
_UNPREDICTABLE = Dol.parse(bytes.fromhex("9F3704"))
BALANCE = 0x9F79
_CVR_AT = slice(3, 7)
_ISSUER_PART = 8
"""Bytes of 9F10 before the discretionary data: length, DKI, CVN, CVR, algorithm."""
_AMOUNT = slice(1, 6)
"""The low 5 bytes of an n12."""


class Cryptogram(NamedTuple):
    """A cryptogram and the answer that carries it."""

    ac: bytes
    data: bytes


def answer(
    card: Application,
    verdict: Verdict,
    values: Mapping[int, bytes],
    profile: bytes,
    signed: bytes | None,
) -> Cryptogram:
    """Compute the cryptogram of a verdict and the answer of GENERATE AC.

    Shapes: `values` the CDOL data by tag; `profile` the AIP of the transaction; `signed` the
    PDOL and CDOL data so far when CDA is to sign the answer (an AAC is never signed), None
    for format 1: `80 L CID ATC AC IAD`. The input is that of CVN 01.
    """
    if card.domain.options["pse_missing_ac_item"] == "6985":
        _require_items(values)
    atc = verdict.counters.atc
    counter = atc.to_bytes(2, "big")
    ac = compute(card, verdict, values, profile)
    iad = issuer_application_data(card, verdict)
    cid = bytes((verdict.cid,))
    signed = None if verdict.answer is Ac.AAC else signed
    if signed is None and card.domain.options["pse_ac_format"] == "80":
        return Cryptogram(ac, encode(0x80, cid + counter + ac + iad))
    head, tail = encode(0x9F27, cid) + encode(0x9F36, counter), encode(0x9F10, iad)
    if signed is None:
        return Cryptogram(ac, encode(0x77, head + encode(0x9F26, ac) + tail))
    hashed = digest(signed + head + tail)
    signature = dynamic_signature(card, atc, cid + ac + hashed, _UNPREDICTABLE.fill([values]))
    return Cryptogram(ac, encode(0x77, head + encode(0x9F4B, signature) + tail))


def compute(
    card: Application,
    verdict: Verdict,
    values: Mapping[int, bytes],
    profile: bytes,
    *,
    short: bool = False,
) -> bytes:
    """Return the cryptogram of CVN 01, or with `short` that of CVN 17. Source: pse-pboc 4.4."""
    atc = verdict.counters.atc
    counter = atc.to_bytes(2, "big")
    cvr = bytes(verdict.cvr)
    if short:
        message = _SHORT_ITEMS.fill([values]) + counter + cvr[1:2]
    else:
        message = _AC_ITEMS.fill([values]) + profile + counter + cvr
    card.domain.crypto.charge_retail_mac(len(message))
    return pboc.cryptogram(card.session_key(KeyType.ISSUER_AC, atc), message)


def _require_items(values: Mapping[int, bytes]) -> None:
    missing = [f"{tag:02X}" for tag, _ in _AC_ITEMS.entries if tag not in values]
    if missing:
        raise Refusal(SW.CONDITIONS, f"the CDOL lacks {', '.join(missing)}", "pse-pboc 4.4")


# --- issuer application data (4.6) ----------------------------------------------------------

_Amounts = Callable[[Mapping[int, bytes], Counters], bytes]


def _element(tag: int) -> _Amounts:
    return lambda elements, counters: elements.get(tag, bytes(6))[_AMOUNT]


def _spent(elements: Mapping[int, bytes], counters: Counters) -> bytes:
    return to_n12(counters.amount)[_AMOUNT]


_DISCRETIONARY: Mapping[int, tuple[_Amounts, ...]] = {
    0x01: (_element(BALANCE),),
    0x02: (_spent,),
    0x03: (_element(BALANCE), _spent),
    0x04: (_spent, _element(0x9F54)),
    0x05: (_element(0x9F5D),),
}
"""The amounts of each type of discretionary data, 5 bytes each; a MAC of 4 bytes follows."""


def issuer_application_data(card: Application, verdict: Verdict) -> bytes:
    """Return the value of 9F10: the personalised template with the CVR and its amounts put in.

    Interpretation: amounts are those after the transaction, as 6.1 says of the balance of
    electronic cash; `pse_cash_balance` may want that from before.
    """
    counters = verdict.counters
    template = card.profile.issuer_data.ljust(_ISSUER_PART, b"\0")
    head = bytearray(template[:_ISSUER_PART])
    head[_CVR_AT] = bytes(verdict.cvr)
    discretionary = template[_ISSUER_PART:]
    kind = discretionary[1] if len(discretionary) > 1 else 0
    amounts = _DISCRETIONARY.get(kind)
    if amounts is None:
        return bytes(head) + discretionary
    elements = card.profile.elements
    if verdict.balance is not None and card.domain.options["pse_cash_balance"] == "after":
        elements = {**elements, BALANCE: to_n12(verdict.balance)}
    data = b"".join(amount(elements, counters) for amount in amounts)
    session_key = card.session_key(KeyType.ISSUER_MAC, counters.atc)
    card.domain.crypto.charge_retail_mac(2 * len(data))
    always = card.domain.options["pse_idd_padding"] == "always"
    mac = pboc.idd_mac(session_key, counters.atc, data, always=always)
    return bytes(head) + bytes((1 + len(data) + len(mac), kind)) + data + mac
