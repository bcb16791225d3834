"""qPBOC on the contactless interface: a whole transaction in one answer (pse-pboc 6.2, 4.9).

`risk.quick` decides; here the answer is built, and an approval becomes final when the terminal
has read the last record of the AFL.
"""

from dataclasses import replace
from functools import partial

from sscard.apps.pse import log
from sscard.apps.pse.application import ANSWER_MOST, Application
from sscard.apps.pse.cryptogram import compute, issuer_application_data
from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.dol import Dol
from sscard.apps.pse.layout import Counters
from sscard.apps.pse.risk import Aip, Processes, Situation, Terminal, Ttq, Verdict, quick_answer
from sscard.apps.pse.signature import dynamic_signature
from sscard.apps.pse.transaction import Finished, Quick
from sscard.cos.domain import Domain
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, encode, parse

__all__ = ["read", "require_offered", "signature_has_place", "transact"]

_REF = "pse-pboc 6.2"
_TTQ, _SIGNATURE, _RECORD = 0x9F66, 0x9F4B, 0x70
_CVN_AT = 2
_SHORT_CVN = (0x11, 0x17)
"""CVN 17 as a byte of 9F10: one source reads hex 11, another 17; both are taken (4.4)."""
_KEY_MOST = 128
"""Bytes of an ICC key whose signature goes into the answer to GPO: 1024 bits."""
_TERMS_00 = Dol.parse(bytes.fromhex("9F3704"))
_TERMS_01 = Dol.parse(bytes.fromhex("9F37049F02065F2A02"))


def require_offered(card: Application, terms: bytes) -> None:
    """Refuse (6985) a terminal that does not offer qPBOC, or a card without it.

    MSD and PBOC over contactless are not offered: the page names them and no more.
    """
    ttq = _ttq(card, terms)
    if not ttq & Ttq.QUICK or len(card.profile.quick.aip) != 2:
        raise Refusal(SW.CONDITIONS, "terminal and card have no qPBOC in common", _REF)


def transact(card: Application, terms: bytes, counters: Counters) -> tuple[bytes, Quick | Finished]:
    """Decide and answer `77 {82, [94], 9F36, 57, 9F10, 9F26, 5F34, [9F4B], 9F6C, [9F5D]}`.

    `counters` have the ATC of this transaction. Return the answer and the state it leaves.
    """
    profile = card.profile
    offer, values, ttq = profile.quick, profile.pdol.split(terms), _ttq(card, terms)
    so_far = Situation(Aip(offer.aip[0]), Cvr(0), card.pin_tries, blocked=card.blocked)
    verdict, qualifiers = quick_answer(card.risk, counters, so_far, Terminal.parse(values), ttq)
    approved = verdict.answer is Ac.TC
    signature = _signature(card, verdict, terms, ttq) if approved else b""
    in_answer = signature if len(signature) <= _KEY_MOST else b""
    short = profile.issuer_data[_CVN_AT : _CVN_AT + 1] in [bytes((code,)) for code in _SHORT_CVN]
    available = profile.elements.get(0x9F5D, b"")
    shown = available if card.risk.processes & Processes.RETURN_AVAILABLE else b""
    items = (
        (0x82, offer.aip),
        (0x94, offer.afl if approved else b""),
        (0x9F36, verdict.counters.atc.to_bytes(2, "big")),
        (0x57, card.lists.track_2),
        (0x9F10, issuer_application_data(card, verdict)),
        (0x9F26, compute(card, verdict, values, offer.aip, short=short)),
        (0x5F34, profile.elements.get(0x5F34, b"")),
        (_SIGNATURE, in_answer),
        (0x9F6C, qualifiers.to_bytes(2, "big")),
        (0x9F5D, shown),
    )
    answer = encode(0x77, b"".join(encode(tag, value) for tag, value in items if value))
    if len(answer) > ANSWER_MOST:
        raise Refusal(SW.CONDITIONS, f"the answer would have {len(answer)} bytes", _REF)
    if not approved:
        return answer, Finished()
    if not offer.afl:
        _settle(card, verdict, terms)
        return answer, Finished()
    last = (offer.afl[-4] >> 3, offer.afl[-2])
    return answer, Quick(last, terms, verdict, signature if not in_answer else b"")


def read(domain: Domain, state: Quick, place: tuple[int, int], record: bytes) -> bytes:
    """Return a record as the transaction has it: its 9F4B filled; the last one settles.

    `place` is SFI and number. Balance and log move in the transaction of this command.
    """
    if state.waiting is not None and place == state.last:
        _settle(Application(domain), state.waiting, state.terms)
        domain.after_commit(partial(setattr, domain.session, "app", replace(state, waiting=None)))
    return _filled(record, state.signature) if state.signature else record


def signature_has_place(card: Application, size: int) -> bool:
    """Whether the signature of a key of `size` bytes has a place: the answer, or a record."""
    aip = card.profile.quick.aip
    signs = bool(aip) and bool(aip[0] & Aip.DDA)
    return not signs or size <= _KEY_MOST or card.lists.signed_record


def _ttq(card: Application, terms: bytes) -> int:
    return int.from_bytes(card.profile.pdol.split(terms).get(_TTQ, b""), "big")


def _signature(card: Application, verdict: Verdict, terms: bytes, ttq: int) -> bytes:
    """Sign as fDDA does: version 01 where terminal and card know it, else 00 (4.9)."""
    if not card.profile.quick.aip[0] & Aip.DDA:
        return b""
    values = card.profile.pdol.split(terms)
    related = card.lists.related
    if related and ttq & Ttq.SIGNATURE_01:
        appended = _TERMS_01.fill([values]) + related
    else:
        appended = _TERMS_00.fill([values])
    return dynamic_signature(card, verdict.counters.atc, b"", appended)


def _settle(card: Application, verdict: Verdict, terms: bytes) -> None:
    card.settle(verdict)
    if card.risk.processes & Processes.LOG:
        log.append(card, verdict.counters.atc, card.profile.pdol.split(terms))


def _filled(record: bytes, signature: bytes) -> bytes:
    """Return a record with the signature as the value of its 9F4B, unchanged without one."""
    try:
        ((template, inside),) = parse(record)
        objects = parse(inside)
    except (TlvError, ValueError):
        return record
    if template != _RECORD:
        return record
    return encode(
        _RECORD,
        b"".join(encode(tag, signature if tag == _SIGNATURE else value) for tag, value in objects),
    )
