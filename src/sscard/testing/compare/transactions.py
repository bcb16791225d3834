"""Transactions of two bank applications at once, for their decisions (pse-pboc 2.6, 3, 4.7, 5)."""

from collections.abc import Iterable, Mapping

from sscard.iso.apdu import Command
from sscard.iso.text import from_cn
from sscard.iso.tlv import TlvError, find, found, parse, parse_dol
from sscard.keys.vault import BankCard, BankVault
from sscard.spec.pboc import DEBIT_AID
from sscard.testing.compare.twins import Twins
from sscard.testing.conformance.pse.cryptograms import Cryptogram, parsed

__all__ = ["transactions"]

_PDOL, _CDOL1, _CDOL2 = 0x9F38, 0x8C, 0x8D
_ARC, _PAN, _PSN = 0x8A, 0x5A, 0x5F34
_RECORD = 0x70
_TEMPLATE_SFIS = range(1, 11)
_AAC, _TC, _ARQC = 0x00, 0x40, 0x80
_KIND = 0xC0
_APPROVED, _UNABLE = "00", "Z3"
_KEY_INDEX_AT = 1

Pair = tuple[bytes, bytes]


def transactions(twins: Twins, issuer: BankVault | None = None) -> None:
    """Let both applications decide: an AAC is asked for, a TC, an ARQC, all of amount 0.

    A terminal's data are zeros. An ARQC is answered as by a terminal that is not on line, with a
    second GENERATE AC for an AAC. `issuer` has the keys of both cards: then a fourth transaction
    goes on line, is approved by an ARPC, and a TC is asked for. Errors: `TransportError`;
    `VaultError` where the issuer lacks a card's keys.
    """
    for asked in (_AAC, _TC, _ARQC):  # an ARQC left open asks for the next to go on line
        _transaction(twins, asked)
    if issuer is not None:
        _transaction(twins, _ARQC, issuer)


def _transaction(twins: Twins, asked: int, issuer: BankVault | None = None) -> None:
    twins.reset()
    fcis = twins.both(Command(0x00, 0xA4, 0x04, 0x00, DEBIT_AID, 256).build())
    read = [twins.records(sfi) for sfi in _TEMPLATE_SFIS]
    told = [_tags(record for pair in read for record in pair[which]) for which in (0, 1)]
    wanted = _filled(found(fcis[0][:-2], _PDOL) or b"", {})
    options = bytes((0x83, len(wanted))) + wanted
    twins.both(Command(0x80, 0xA8, 0x00, 0x00, options, 256).build())
    twins.both(Command(0x00, 0x88, 0x00, 0x00, bytes(4), 256).build())
    answers = twins.both(_generate(asked, _filled(told[0].get(_CDOL1, b""), {})))
    arc, last = _UNABLE, _AAC
    if issuer is not None and (approval := _approval(issuer, told, answers)) is not None:
        arc, last = _APPROVED, _TC
        twins.both(*(Command(0x00, 0x82, 0x00, 0x00, data).build() for data in approval))
    twins.both(_generate(last, _filled(told[0].get(_CDOL2, b""), {_ARC: arc.encode()})))


def _generate(p1: int, data: bytes) -> bytes:
    return Command(0x80, 0xAE, p1, 0x00, data, 256).build()


def _approval(issuer: BankVault, told: list[dict[int, bytes]], answers: Pair) -> Pair | None:
    """Return what EXTERNAL AUTHENTICATE takes on either card; None unless both want to go on line.

    The cards' cryptograms differ, and so do their ARPCs.
    """
    made = []
    for tags, answer in zip(told, answers, strict=True):
        arqc = _arqc(answer[:-2])
        if arqc is None or _PAN not in tags:
            return None
        index = arqc.issuer_data[_KEY_INDEX_AT]
        card = BankCard(from_cn(tags[_PAN]), tags.get(_PSN, b"\0").hex(), index)
        made.append(issuer.arpc(card, arqc.atc, arqc.value, _APPROVED) + _APPROVED.encode())
    return made[0], made[1]


def _arqc(answer: bytes) -> Cryptogram | None:
    """Return an ARQC that an issuer can answer to; None for anything else."""
    made = parsed(answer)
    if made is None or made.cid & _KIND != _ARQC or len(made.value) != 8:
        return None
    return made if len(made.issuer_data) > _KEY_INDEX_AT else None


def _tags(templates: Iterable[bytes]) -> dict[int, bytes]:
    """Return the data objects in records, the first of each tag."""
    objects: dict[int, bytes] = {}
    for template in templates:
        try:
            for name, value in parse(find(template, _RECORD) or b""):
                objects.setdefault(name, value)
        except TlvError:
            continue
    return objects


def _filled(dol: bytes, values: Mapping[int, bytes]) -> bytes:
    """Return the data a list asks for: `values`, and zeros for the rest; nothing for no list."""
    try:
        return b"".join(values.get(tag, bytes(size))[:size] for tag, size in parse_dol(dol))
    except TlvError:
        return b""
