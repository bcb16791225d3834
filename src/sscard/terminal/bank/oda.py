"""Offline data authentication: SDA, DDA, CDA (EMV Book 2 5, 6; Book 3 10.3; pse-pboc 4.9).

Which method is done follows from the AIP and the terminal's capabilities; what does not check
sets its bit of the TVR and is remembered as a reason. CDA has two halves: the keys here, the
signature with a GENERATE AC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import equal
from sscard.keys.rsa import digest
from sscard.spec.ca_keys import CaKey
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank.ber import objects, pieces
from sscard.terminal.bank.certificates import (
    NotAuthentic,
    PublicKey,
    icc_public_key,
    issuer_public_key,
    opened,
    static_data,
)
from sscard.terminal.bank.errors import BadCardData, unexpected
from sscard.terminal.bank.transaction import Transaction, dol_entries
from sscard.terminal.stack import Channel

__all__ = ["Method", "OfflineAuthentication", "SignedCryptogram", "authenticate", "open_signed"]

_SSAD, _DDOL, _SDAD = 0x93, 0x9F49, 0x9F4B
_UNPREDICTABLE = 0x9F37
_STATIC, _DYNAMIC = 0x03, 0x05
_SHA_1 = 0x01
_NUMBER_MIN, _NUMBER_MAX = 2, 8
_HASH = 20


class Method(StrEnum):
    """What is done, by the capabilities of both sides."""

    NONE = "none"
    SDA = "SDA"
    DDA = "DDA"
    CDA = "CDA"


_FAILED = {Method.SDA: Tvr.SDA_FAILED, Method.DDA: Tvr.DDA_FAILED, Method.CDA: Tvr.CDA_FAILED}


@dataclass(slots=True)
class OfflineAuthentication:
    """How it went: the method, the card's key for CDA, why it failed (empty when it did not)."""

    method: Method
    key: PublicKey | None = field(default=None, repr=False)
    reason: str = ""

    @property
    def combined(self) -> bool:
        """Whether a GENERATE AC can ask for a combined signature."""
        return self.method is Method.CDA and self.key is not None and not self.reason

    def fail(self, transaction: Transaction, error: NotAuthentic) -> None:
        """Take down why it failed, and set the bits."""
        self.reason = str(error)
        transaction.note(_FAILED[self.method])
        if error.missing:
            transaction.note(Tvr.DATA_MISSING)


@dataclass(frozen=True, slots=True)
class SignedCryptogram:
    """What a combined signature carries: CID, cryptogram; its ICC dynamic number."""

    cid: int
    cryptogram: bytes
    number: bytes


def method_of(transaction: Transaction) -> Method:
    """Return the strongest method both sides have (EMV Book 3 10.3)."""
    terminal = transaction.terminal
    if terminal.cda and transaction.supports(1):
        return Method.CDA
    if terminal.dda and transaction.supports(6):
        return Method.DDA
    if terminal.sda and transaction.supports(7):
        return Method.SDA
    return Method.NONE


def authenticate(
    channel: Channel, transaction: Transaction, keys: Iterable[CaKey]
) -> OfflineAuthentication:
    """Carry out SDA or DDA, or recover the keys for CDA.

    Sets TVR and TSI; CDA's TSI bit waits for the signature. Errors: `Terminated` when INTERNAL
    AUTHENTICATE is refused or answers no TLV.
    """
    outcome = OfflineAuthentication(method_of(transaction))
    if outcome.method is Method.NONE:
        transaction.note(Tvr.ODA_NOT_PERFORMED)
        return outcome
    try:
        issuer = issuer_public_key(transaction, keys)
        if outcome.method is Method.SDA:
            _static(transaction, issuer)
        else:
            outcome.key = icc_public_key(transaction, issuer)
            if outcome.method is Method.DDA:
                _dynamic(channel, transaction, outcome.key)
    except NotAuthentic as error:
        outcome.fail(transaction, error)
    if outcome.method is not Method.CDA or outcome.reason:
        transaction.done(Tsi.ODA_PERFORMED)
    return outcome


def _static(transaction: Transaction, issuer: PublicKey) -> None:
    """SDA: the signature over the static data; keeps the DAC (9F45). Book 2 5.4."""
    signed = transaction.card.get(_SSAD)
    if signed is None:
        raise NotAuthentic("the card does not have signed static data (93)", missing=True)
    fields = opened(issuer, signed, _STATIC, static_data(transaction), "signed static data")
    if fields[1] != _SHA_1:
        raise NotAuthentic("signed static data: hash algorithm")
    transaction.given[0x9F45] = fields[2:4]


def _dynamic(channel: Channel, transaction: Transaction, key: PublicKey) -> None:
    """DDA: a signature made just now; keeps the ICC dynamic number (9F4C). Book 2 6.5."""
    ddol = transaction.card.get(_DDOL, transaction.settings.default_ddol)
    if ddol is None:
        raise NotAuthentic("neither card nor terminal has a DDOL")
    if _UNPREDICTABLE not in {tag for tag, _ in dol_entries(ddol, "DDOL")}:
        raise NotAuthentic("the DDOL does not ask for the unpredictable number")
    data = transaction.fill(ddol, "DDOL")
    reply = channel.exchange(Command(0x00, 0x88, 0x00, 0x00, data, 256))
    if reply.sw != SW.OK:
        raise unexpected("INTERNAL AUTHENTICATE", reply.sw)
    fields = opened(key, _signature(reply.data), _DYNAMIC, data, "dynamic signature")
    transaction.given[0x9F4C] = _number(fields)


def _signature(answer: bytes) -> bytes:
    what = "INTERNAL AUTHENTICATE"
    found = objects(answer, what)
    if len(found) == 1 and found[0][0] == 0x80:
        return found[0][1]
    if len(found) == 1 and found[0][0] == 0x77:
        signed = dict(objects(found[0][1], what)).get(_SDAD)
        if signed is not None:
            return signed
    raise BadCardData(f"{what}: no signature in the answer")


def _number(fields: bytes) -> bytes:
    """Return the ICC dynamic number: length byte and value inside the dynamic data."""
    if fields[1] != _SHA_1:
        raise NotAuthentic("dynamic signature: hash algorithm")
    size = fields[3]
    if not (_NUMBER_MIN <= size <= _NUMBER_MAX and size < fields[2] <= len(fields) - 3):
        raise NotAuthentic("dynamic signature: the ICC dynamic number does not fit")
    return fields[4 : 4 + size]


def open_signed(
    key: PublicKey, transaction: Transaction, answer: bytes, dol_data: bytes
) -> SignedCryptogram:
    """Verify the combined signature in an answer of GENERATE AC (EMV Book 2 6.6.2).

    `answer` is the value of the template 77, `dol_data` the values of the CDOLs sent so far
    in this transaction. Keeps the ICC dynamic number. Errors: `NotAuthentic`.
    """
    found = dict(objects(answer, "GENERATE AC"))
    signed = found.get(_SDAD, b"")
    fields = opened(key, signed, _DYNAMIC, transaction.unpredictable, "combined signature")
    number = _number(fields)
    rest = fields[4 + len(number) : 3 + fields[2]]
    if len(rest) != 1 + 8 + _HASH:
        raise NotAuthentic("combined signature: its dynamic data do not have the right length")
    cid, cryptogram, hashed = rest[0], rest[1:9], rest[9:]
    if found.get(0x9F27) != bytes((cid,)):
        raise NotAuthentic("combined signature: another CID than in clear")
    clear = b"".join(raw for tag, _, raw in pieces(answer, "GENERATE AC") if tag != _SDAD)
    if not equal(hashed, digest(transaction.pdol_data + dol_data + clear)):
        raise NotAuthentic("combined signature: the transaction data hash")
    transaction.given[0x9F4C] = number
    return SignedCryptogram(cid, cryptogram, number)
