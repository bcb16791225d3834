"""GENERATE AC: building the command, reading the answer, its combined signature.

Sources: EMV Book 3 6.5.5, 9, 10.8, 10.11; Book 2 6.6; pse-pboc 2.6, 4.9.
"""

from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.rsa import digest
from sscard.spec.emv import Tsi, Tvr
from sscard.terminal.bank.action import Request
from sscard.terminal.bank.ber import objects, template
from sscard.terminal.bank.certificates import NotAuthentic
from sscard.terminal.bank.errors import BadCardData, Terminated, unexpected
from sscard.terminal.bank.oda import OfflineAuthentication, open_signed
from sscard.terminal.bank.transaction import Transaction, dol_entries
from sscard.terminal.stack import Channel

__all__ = ["Cryptogram", "generate"]

_TC_HASH, _TDOL = 0x98, 0x97
_KIND, _ADVICE, _REASON = 0xC0, 0x08, 0x07
_CDA = 0x10
_STEP = "GENERATE AC"
_IAD_MAX = 32
_ALLOWED = {
    Request.AAC: (Request.AAC,),
    Request.ARQC: (Request.AAC, Request.ARQC),
    Request.TC: (Request.AAC, Request.ARQC, Request.TC),
}
"""What a card may answer to what it was asked for: never more."""


@dataclass(frozen=True, slots=True)
class Cryptogram:
    """One answer of GENERATE AC: kind and CID, ATC, the cryptogram, issuer application data.

    `data` is what was sent, `signed` whether a combined signature was verified over it.
    """

    kind: Request
    cid: int
    atc: int
    value: bytes
    issuer_data: bytes = b""
    data: bytes = field(default=b"", repr=False)
    signed: bool = False

    @property
    def advice(self) -> bool:
        """Whether the card wants the host to be told of a refusal."""
        return bool(self.cid & _ADVICE)

    @property
    def reason(self) -> int:
        """Why: bits 3 to 1 of the CID (pse-pboc 2.6)."""
        return self.cid & _REASON


def generate(
    channel: Channel,
    transaction: Transaction,
    request: Request,
    oda: OfflineAuthentication,
    *,
    first: Cryptogram | None = None,
    combined: bool = False,
) -> Cryptogram:
    """Ask for a cryptogram, the second one when `first` is given; return it, checked.

    `combined` asks for a combined signature; one that does not check sets its bit of the TVR
    and leaves a reason in `oda`, and the answer is returned all the same, not `signed`. Errors:
    `Terminated` when the card refuses, or answers more than it was asked for; `BadCardData`.
    """
    dol = transaction.card[0x8C if first is None else 0x8D]
    what = "CDOL1" if first is None else "CDOL2"
    _hash_certificate(transaction, dol, what)
    data = transaction.fill(dol, what)
    transaction.covered_tvr = bytes(transaction.tvr)
    p1 = request | (_CDA if combined else 0)
    reply = channel.exchange(Command(0x80, 0xAE, p1, 0x00, data, 256))
    if reply.sw != SW.OK:
        raise unexpected(_STEP, reply.sw)
    transaction.done(Tsi.CARD_RISK_MANAGEMENT)
    found = _fields(reply.data)
    cid, atc = found[0x9F27][0], int.from_bytes(found[0x9F36], "big")
    kind = cid & _KIND
    if kind not in _ALLOWED[request] or (first is not None and kind == Request.ARQC):
        raise Terminated(f"{_STEP}: asked for {request.name}, the card answered CID {cid:02X}")
    value, signed = found.get(0x9F26, b""), False
    sent = (first.data if first is not None else b"") + data
    if combined and kind != Request.AAC:
        value, signed = _verify(transaction, oda, reply.data, sent, value)
    if len(value) != 8 and not (combined and kind != Request.AAC):
        raise BadCardData(f"{_STEP}: no cryptogram in the answer")
    transaction.given.update({0x9F27: found[0x9F27], 0x9F36: found[0x9F36], 0x9F26: value})
    transaction.given[0x9F10] = found.get(0x9F10, b"")
    issuer_data = found.get(0x9F10, b"")
    return Cryptogram(Request(kind), cid, atc, value, issuer_data, data, signed)


def _verify(
    transaction: Transaction,
    oda: OfflineAuthentication,
    answer: bytes,
    sent: bytes,
    clear: bytes,
) -> tuple[bytes, bool]:
    """Return the cryptogram of a combined signature, and whether the signature is good."""
    assert oda.key is not None, "a combined signature is asked for with a key"
    transaction.done(Tsi.ODA_PERFORMED)
    try:
        inner = template(answer, 0x77, _STEP)
        signed = open_signed(oda.key, transaction, inner, sent)
    except (NotAuthentic, BadCardData) as error:
        failure = error if isinstance(error, NotAuthentic) else NotAuthentic(str(error))
        oda.fail(transaction, failure)
        return clear, False
    return signed.cryptogram, True


def _fields(answer: bytes) -> dict[int, bytes]:
    """Return the objects of an answer in format 1 or 2, CID and ATC checked."""
    found = objects(answer, _STEP)
    if len(found) == 1 and found[0][0] == 0x80:
        value = found[0][1]
        parts = {0x9F27: value[:1], 0x9F36: value[1:3], 0x9F26: value[3:11]}
        if value[11:]:
            parts[0x9F10] = value[11:]
    else:
        parts = dict(objects(template(answer, 0x77, _STEP), _STEP))
    if len(parts.get(0x9F27, b"")) != 1 or len(parts.get(0x9F36, b"")) != 2:
        raise BadCardData(f"{_STEP}: the answer has no CID or no ATC")
    if len(parts.get(0x9F10, b"")) > _IAD_MAX:
        raise BadCardData(f"{_STEP}: issuer application data longer than {_IAD_MAX} bytes")
    return parts


def _hash_certificate(transaction: Transaction, dol: bytes, what: str) -> None:
    """Compute the TC hash (98) when a CDOL asks for it, by the TDOL (EMV Book 3 9.2.2)."""
    if _TC_HASH not in {tag for tag, _ in dol_entries(dol, what)}:
        return
    tdol = transaction.card.get(_TDOL)
    if tdol is None:
        tdol = transaction.settings.default_tdol or b""
        transaction.note(Tvr.DEFAULT_TDOL)
    transaction.given[_TC_HASH] = digest(transaction.fill(tdol, "TDOL"))
