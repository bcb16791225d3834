"""Certificates of offline data authentication in words: recovered, checked, told (pse-pboc 4.9).

For people and tests of cards. A terminal that must decide does its own checking.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sscard.inspect.explanation import Explanation
from sscard.iso import tlv
from sscard.keys.certificates import (
    Certificate,
    Contents,
    open_icc_certificate,
    open_issuer_certificate,
    open_static_signature,
    static_data,
)
from sscard.keys.rsa import PublicKey, open_message_block
from sscard.spec.ca_keys import CaKey, find

__all__ = ["CardData", "Chain", "explain_block", "explain_chain"]

_REF = "pse-pboc 4.9"
_FORMATS = {
    0x02: "issuer certificate",
    0x03: "signed static data",
    0x04: "ICC certificate",
    0x05: "dynamic signature",
}
_HASH_AND_TRAILER = 21


class CardData(NamedTuple):
    """What a terminal read: answer to GPO, and the records of the AFL by SFI and number."""

    rid: bytes
    aip: bytes
    afl: bytes
    records: Mapping[tuple[int, int], bytes]

    @property
    def objects(self) -> dict[int, bytes]:
        """The data objects of all records, the first of each tag."""
        found: dict[int, bytes] = {}
        for record in self.records.values():
            try:
                inside = tlv.find(record, 0x70) or b""
                for tag, value in tlv.parse(inside):
                    found.setdefault(tag, value)
            except tlv.TlvError:
                continue
        return found


class Chain(NamedTuple):
    """The chain of a card in words, and whether every part of it that is there holds."""

    tree: Explanation
    sound: bool


def explain_chain(card: CardData, ca_keys: Iterable[CaKey]) -> Chain:
    """Recover and check the certificates of a card from the CA key on."""
    reader = _Reader(card)
    reader.ca(ca_keys)
    reader.issuer()
    reader.static()
    reader.icc("ICC certificate", (0x9F46, 0x9F48, 0x9F47), reader.static_data)
    reader.icc("PIN certificate", (0x9F2D, 0x9F2F, 0x9F2E), b"")
    tree = Explanation("offline data authentication", "", b"", tuple(reader.parts), _REF)
    return Chain(tree, reader.sound)


class _Reader:
    """Goes down the chain; what is missing is said, what is wrong makes it unsound."""

    def __init__(self, card: CardData) -> None:
        self.held = card.objects
        self.parts: list[Explanation] = []
        self.sound = True
        self._card = card
        self._ca: PublicKey | None = None
        self._issuer: PublicKey | None = None
        self.static_data = b""
        try:
            self.static_data = static_data(
                card.afl, card.records, card.aip, self.held.get(0x9F4A, b"")
            )
        except ValueError as wrong:
            self._say("static data", f"wrong: {wrong}", good=False)

    def ca(self, keys: Iterable[CaKey]) -> None:
        index = self.held.get(0x8F)
        if index is None or len(index) != 1:
            self._say("CA key", "the card names none (8F)", good=False)
            return
        key = find(keys, self._card.rid, index[0])
        name = f"{self._card.rid.hex().upper()} {index[0]:02X}"
        if key is None:
            self._say("CA key", f"{name} is not in the list", good=False)
            return
        until = f", until {key.expiry}" if key.expiry is not None else ""
        self._say("CA key", f"{name}, {key.modulus.bit_length()} bits{until}")
        self._ca = PublicKey(key.modulus, key.exponent)

    def issuer(self) -> None:
        signer = self._ca
        if signer is None:
            return
        made = self._certificate((0x90, 0x92, 0x9F32))
        opened = self._opened(
            "issuer certificate", made, lambda made: open_issuer_certificate(signer, made)
        )
        self._issuer = None if opened is None else opened.key

    def static(self) -> None:
        signature, issuer = self.held.get(0x93), self._issuer
        if signature is None or issuer is None:
            return
        try:
            code = open_static_signature(issuer, signature, self.static_data)
        except ValueError as wrong:
            self._say("signed static data", f"wrong: {wrong}", good=False)
            return
        self._say("signed static data", f"data authentication code {code.hex().upper()}")

    def icc(self, label: str, tags: tuple[int, int, int], data: bytes) -> None:
        issuer, made = self._issuer, self._certificate(tags)
        if issuer is not None and made is not None:
            self._opened(label, made, lambda made: open_icc_certificate(issuer, made, data))

    def _certificate(self, tags: tuple[int, int, int]) -> Certificate | None:
        certificate, remainder, exponent = (self.held.get(tag, b"") for tag in tags)
        return Certificate(certificate, remainder, exponent) if certificate else None

    def _opened(
        self, label: str, made: Certificate | None, opening: Callable[[Certificate], Contents]
    ) -> Contents | None:
        if made is None:
            self._say(label, "the card has none", good=False)
            return None
        try:
            opened = opening(made)
        except ValueError as wrong:
            self._say(label, f"wrong: {wrong}", good=False)
            return None
        key = opened.key
        self.parts.append(
            Explanation(
                label,
                f"{key.n.bit_length()} bits, exponent {key.exponent.hex().upper()}",
                b"",
                _contents(opened.subject, opened.expiry, opened.serial),
            )
        )
        return opened

    def _say(self, label: str, words: str, *, good: bool = True) -> None:
        self.sound = self.sound and good
        self.parts.append(Explanation(label, words))


def _contents(subject: bytes, expiry: bytes, serial: bytes) -> tuple[Explanation, ...]:
    digits = subject.hex().upper().rstrip("F")
    if len(subject) == 4:
        whom = Explanation("issuer identifier", digits, subject)
    else:
        whom = Explanation("PAN", digits, subject, secret=True)
    month = expiry.hex()
    return (
        whom,
        Explanation("expires", f"{month[:2]}/{month[2:]}", expiry),
        Explanation("serial number", "", serial),
    )


def explain_block(block: bytes, appended: bytes | None = None) -> Chain:
    """Explain a recovered block; its hash is checked when what lies outside is given."""
    body = block[1:-_HASH_AND_TRAILER]
    if len(block) < 2 + _HASH_AND_TRAILER or block[0] != 0x6A or block[-1] != 0xBC or not body:
        why = "not recovered with the right key: it does not begin with 6A and end with BC"
        return Chain(Explanation("block", why, block), sound=False)
    parts = _fields(body)
    words, sound = "", True
    if appended is not None:
        try:
            open_message_block(block, appended)
            words = "right"
        except ValueError:
            words, sound = "wrong", False
    parts += (Explanation("hash", words, block[-_HASH_AND_TRAILER:-1]),)
    name = _FORMATS.get(body[0], f"format {body[0]:02X}, unknown")
    return Chain(Explanation("block", name, block, parts, _REF), sound)


def _fields(body: bytes) -> tuple[Explanation, ...]:
    kind = body[0]
    if kind in (0x02, 0x04):
        at = 5 if kind == 0x02 else 11
        held, size = body[at + 9 :], body[at + 7] if len(body) > at + 8 else 0
        return (
            *_contents(body[1:at], body[at : at + 2], body[at + 2 : at + 5]),
            Explanation("key length", f"{size} bytes", body[at + 7 : at + 8]),
            Explanation("modulus, as far as it fits", "", held[:size]),
        )
    if kind == 0x03:
        return (Explanation("data authentication code", "", body[2:4]),)
    if kind == 0x05:
        dynamic = body[3 : 3 + body[2]] if len(body) > 2 else b""
        parts = [Explanation("ATC", str(int.from_bytes(dynamic[1:3], "big")), dynamic[:3])]
        if len(dynamic) == 32:
            parts += [
                Explanation("CID", f"{dynamic[3]:02X}", dynamic[3:4]),
                Explanation("cryptogram", "", dynamic[4:12]),
                Explanation("transaction data hash", "", dynamic[12:]),
            ]
        return tuple(parts)
    return (Explanation("fields", "", body),)
