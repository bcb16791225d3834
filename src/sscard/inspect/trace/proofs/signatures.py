"""Proofs with public keys: certificates, SDA, DDA, CDA and qPBOC's signature (pse-pboc 4.9, 6.2).

They need a list of CA keys and nothing secret. Certificates come from the records in the trace.
"""

from collections.abc import Iterable, Iterator

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.follow import Step
from sscard.inspect.trace.proofs.facts import Facts, Transaction, cryptogram_objects
from sscard.inspect.trace.proofs.verdict import unverified, verdict
from sscard.iso.tlv import encode
from sscard.keys.certificates import (
    Certificate,
    open_icc_certificate,
    open_issuer_certificate,
    open_static_signature,
    static_data,
)
from sscard.keys.rsa import PublicKey, digest, open_message_block
from sscard.spec.ca_keys import CaKey, find

__all__ = ["SignatureProofs"]

_GENERATE, _INTERNAL, _READ, _GPO = 0xAE, 0x88, 0xB2, 0xA8
_CA_INDEX, _TAG_LIST, _SSAD, _SIGNED, _UN, _RELATED = 0x8F, 0x9F4A, 0x93, 0x9F4B, 0x9F37, 0x9F69
_ISSUER, _ICC = (0x90, 0x92, 0x9F32), (0x9F46, 0x9F48, 0x9F47)
_DYNAMIC = 0x05
_ENTRY = 4


class _Unknown(Exception):
    """A part of the chain is not in the trace; the message says which."""


class SignatureProofs:
    """Verifies with the CA keys of a terminal."""

    def __init__(self, ca_keys: Iterable[CaKey], facts: Facts) -> None:
        self._ca_keys = tuple(ca_keys)
        self._facts = facts
        self._static_done: bytes | None = None

    def see(self, step: Step) -> Iterator[Explanation]:
        """Yield how what a step proves turned out."""
        asked, begun = step.answers, self._facts.transaction
        assert asked is not None, "the prover looked"
        if not step.done or not step.data:
            return
        if asked.ins == _GPO:
            self._static_done = None
            if not begun.afl:
                return
        if asked.ins in (_READ, _GPO) and begun.afl and self._last_was_read(begun):
            yield from self._records(begun)
        elif asked.ins == _INTERNAL and not step.whole:
            yield unverified("DDA signature", "command or answer are masked")
        elif asked.ins == _INTERNAL:
            signature = cryptogram_objects(step.data).get(_SIGNED) or step.data[-self._size() :]
            yield self._dynamic("DDA signature", signature, asked.data)
        elif asked.ins == _GENERATE and step.whole:
            held = cryptogram_objects(step.data)
            if _SIGNED in held:
                yield self._combined(held, begun)

    # --- the chain ------------------------------------------------------------------------------

    def _last_was_read(self, begun: Transaction) -> bool:
        """Whether all records of the AFL are there now, for the first time in this transaction."""
        wanted = {
            (begun.afl[at] >> 3, number)
            for at in range(0, len(begun.afl) // _ENTRY * _ENTRY, _ENTRY)
            for number in range(begun.afl[at + 1], begun.afl[at + 2] + 1)
        }
        known = self._facts.records.keys() | self._facts.masked
        if self._static_done == begun.afl or not wanted <= known:
            return False
        self._static_done = begun.afl
        return True

    def _records(self, begun: Transaction) -> Iterator[Explanation]:
        """The static part, once the terminal has read what the AFL names."""
        objects = self._facts.objects
        if _CA_INDEX not in objects and not self._facts.masked:
            return
        try:
            ca = self._ca()
            issuer = self._issuer(ca)
        except _Unknown as why:
            yield unverified("issuer certificate", str(why))
            return
        except ValueError as wrong:
            yield _wrong("issuer certificate", wrong)
            return
        yield verdict(
            "issuer certificate", f"the CA key {objects[_CA_INDEX].hex().upper()}", right=True
        )
        if _SSAD in objects:
            yield self._ssad(issuer, begun)
        if _ICC[0] in objects:
            yield self._icc_words(begun)
        if _SIGNED in objects and begun.count == 0:
            yield self._quick(begun)

    def _ssad(self, issuer: PublicKey, begun: Transaction) -> Explanation:
        try:
            open_static_signature(issuer, self._facts.objects[_SSAD], self._static(begun))
        except _Unknown as why:
            return unverified("signed static data", str(why))
        except ValueError as wrong:
            return _wrong("signed static data", wrong)
        return verdict("signed static data", "the issuer's key", right=True)

    def _icc_words(self, begun: Transaction) -> Explanation:
        try:
            self._icc(begun)
        except _Unknown as why:
            return unverified("ICC certificate", str(why))
        except ValueError as wrong:
            return _wrong("ICC certificate", wrong)
        return verdict("ICC certificate", "the issuer's key", right=True)

    def _ca(self) -> PublicKey:
        index = self._facts.objects.get(_CA_INDEX)
        if index is None or len(index) != 1:
            raise _Unknown("the CA key's index (8F) is not in the trace, or masked")
        key = find(self._ca_keys, self._facts.rid, index[0])
        if key is None:
            raise _Unknown(f"CA key {index.hex().upper()} was not given")
        return PublicKey(key.modulus, key.exponent)

    def _issuer(self, ca: PublicKey) -> PublicKey:
        return open_issuer_certificate(ca, self._certificate(_ISSUER)).key

    def _icc(self, begun: Transaction) -> PublicKey:
        issuer = self._issuer(self._ca())
        return open_icc_certificate(issuer, self._certificate(_ICC), self._static(begun)).key

    def _certificate(self, tags: tuple[int, int, int]) -> Certificate:
        held = [self._facts.objects.get(tag, b"") for tag in tags]
        if not held[0] or not held[2]:
            raise _Unknown("the certificate is not in the trace, or masked")
        return Certificate(*held)

    def _static(self, begun: Transaction) -> bytes:
        facts = self._facts
        if facts.masked & _signed_places(begun.afl):
            raise _Unknown("a signed record is masked")
        if not begun.aip:
            raise _Unknown("AIP and AFL are not in the trace, or masked")
        return static_data(begun.afl, facts.records, begun.aip, facts.objects.get(_TAG_LIST, b""))

    def _size(self) -> int:
        try:
            return self._icc(self._facts.transaction).size
        except (_Unknown, ValueError):
            return 0

    # --- dynamic signatures ---------------------------------------------------------------------

    def _dynamic(self, what: str, signature: bytes, *appended: bytes) -> Explanation:
        """One of the terminal's data must be what was signed."""
        try:
            key = self._icc(self._facts.transaction)
        except _Unknown as why:
            return unverified(what, str(why))
        except ValueError as wrong:
            return unverified(what, f"the ICC certificate is wrong: {wrong}")
        reason = ""
        for data in appended:
            try:
                fields = open_message_block(key.recover(signature), data)
            except ValueError as wrong:
                reason = str(wrong)
                continue
            if fields[0] == _DYNAMIC:
                return verdict(what, "the ICC key", right=True)
        return _wrong(what, ValueError(reason or "its format is another"))

    def _quick(self, begun: Transaction) -> Explanation:
        """The signature of qPBOC: version 00 over 9F37, 01 over amount, currency and 9F69 too."""
        offered, objects = begun.pdol, self._facts.objects
        short = offered.get(_UN, b"")
        wide = short + offered.get(0x9F02, b"") + offered.get(0x5F2A, b"")
        return self._dynamic(
            "fDDA signature", objects[_SIGNED], short, wide + objects.get(_RELATED, b"")
        )

    def _combined(self, held: dict[int, bytes], begun: Transaction) -> Explanation:
        """CDA: CID, cryptogram and the hash over all of the transaction are inside (4.9)."""
        what = "CDA signature"
        if begun.masked:
            return unverified(what, "what the terminal sent is masked")
        if _UN not in begun.values:
            return unverified(what, "its CDOL is not in the trace")
        try:
            key = self._icc(begun)
            block = key.recover(held[_SIGNED])
            fields = open_message_block(block, begun.values.get(_UN, b""))
        except _Unknown as why:
            return unverified(what, str(why))
        except ValueError as wrong:
            return _wrong(what, wrong)
        dynamic = fields[3 : 3 + fields[2]] if len(fields) > 3 else b""
        if fields[0] != _DYNAMIC or len(dynamic) != 32:
            return _wrong(what, ValueError("its format is another"))
        atc, cid, ac, hashed = dynamic[1:3], dynamic[3:4], dynamic[4:12], dynamic[12:]
        if not begun.ac1:
            begun.ac1, begun.atc = ac, int.from_bytes(atc)
        told = b"".join(encode(tag, value) for tag, value in held.items() if tag != _SIGNED)
        if hashed != digest(b"".join(begun.sent) + told) or cid != held.get(0x9F27):
            return _wrong(what, ValueError("it does not belong to this transaction"))
        return verdict(what, "the ICC key", right=True)


def _signed_places(afl: bytes) -> set[tuple[int, int]]:
    return {
        (afl[at] >> 3, number)
        for at in range(0, len(afl) // _ENTRY * _ENTRY, _ENTRY)
        for number in range(afl[at + 1], afl[at + 1] + afl[at + 3])
    }


def _wrong(what: str, why: ValueError) -> Explanation:
    return Explanation(f"{what} verified", f"WRONG: {why}")
