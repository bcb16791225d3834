"""Cryptograms of a trace, computed again with keys and compared: who proved what, and rightly.

Everything that depends on the card is taken from the trace itself: its serial from the ATR, its
region from EF05, PAN and data objects from the records. What the trace does not show, or shows
masked, is not verified, and the result says so. Source: ssse-lb002 4.5, 5.3; pse-pboc 4.4, 4.7.
"""

from collections.abc import Iterator, Mapping

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.entries import Power
from sscard.inspect.trace.follow import Step
from sscard.iso.atr import Atr, AtrError
from sscard.iso.tlv import TlvError, parse, parse_dol, parse_simple
from sscard.keys.hierarchy import CARD_KEYS
from sscard.keys.pboc import session_seed
from sscard.keys.vault import BaseVault, CardIdentity, Party, VaultError
from sscard.spec.ssse import SSSE_FID

__all__ = ["Prover", "values_of"]

_PSE, _SSSE = 2, 1
_EXTERNAL, _INTERNAL, _GENERATE, _GPO, _READ = 0x82, 0x88, 0xAE, 0xA8, 0xB2
_EXTERNAL_KIND = 0x0D
_CDOL1, _CDOL2 = 0x8C, 0x8D
_PAN, _PSN, _AIP, _IAD = 0x5A, 0x5F34, 0x82, 0x9F10
_COVERED = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82)
_SHORT = (0x9F02, 0x9F37)
_FULL_VERSION, _SHORT_VERSIONS = 0x01, (0x11, 0x17)


def values_of(dol: bytes, data: bytes) -> dict[int, bytes] | None:
    """Return the values a data object list asks for, by tag; None when they do not fit."""
    try:
        entries = parse_dol(dol)
    except TlvError:
        return None
    if sum(length for _, length in entries) != len(data):
        return None
    values, at = {}, 0
    for tag, length in entries:
        values[tag] = data[at : at + length]
        at += length
    return values


class Prover:
    """Follows a trace step by step; `keys` are vaults of one party or both."""

    def __init__(self, *keys: BaseVault) -> None:
        self._vaults: Mapping[Party, BaseVault] = {vault.party: vault for vault in keys}
        self._csn8 = b""
        self._region = ""
        self._challenge: bytes | None = None
        self._objects: dict[int, bytes] = {}
        self._values: dict[int, bytes] = {}
        self._first: tuple[bytes, int] | None = None
        self._acs = 0

    def power(self, entry: Power) -> None:
        """Take an answer to reset."""
        self._challenge = self._first = None
        try:
            self._csn8 = Atr.parse(entry.atr).historical[-8:] if entry.atr else self._csn8
        except AtrError:
            self._csn8 = b""

    def element(self, tag: int) -> bytes | None:
        """Return a data object that the card told: a CDOL, the PAN."""
        return self._objects.get(tag)

    def dol(self) -> bytes | None:
        """Return the list that the data of the next GENERATE AC answer."""
        return self._objects.get(_CDOL2 if self._acs else _CDOL1)

    def see(self, step: Step) -> Iterator[Explanation]:
        """Take an exchange; yield what its cryptograms turned out to be."""
        command, asked = step.command, step.answers
        if command is None or asked is None:
            return
        self._learn(step)
        if step.before.domain == _PSE:
            yield from self._bank(step)
        elif step.before.domain == _SSSE:
            yield from self._social(step)
        if command.ins == 0x84 and step.done:
            self._challenge = step.data if step.whole else None
        elif command.ins == _EXTERNAL:
            self._challenge = None

    # --- what the trace tells -----------------------------------------------------------------

    def _learn(self, step: Step) -> None:
        asked = step.answers
        assert asked is not None, "see() looked"
        if asked.ins == 0xA4 and not asked.cla and step.after.domain == _PSE:
            if step.command is asked:
                self._objects, self._values, self._first, self._acs = {}, {}, None, 0
            self._collect(step.data)
        elif asked.ins == _READ and step.before.domain == _PSE and step.apdu.response.whole:
            self._collect(step.data)
        elif asked.ins == _READ and step.before.directory == SSSE_FID and step.done:
            try:
                held = dict(parse_simple(step.data))
            except TlvError:
                return
            if len(held.get(1, b"")) == 16:
                self._region = held[1][:3].hex()
        elif asked.ins == _GPO and step.done and step.data:
            self._begin(step)

    def _begin(self, step: Step) -> None:
        self._values, self._first, self._acs = {}, None, 0
        try:
            tag, value = parse(step.data)[0]
        except (TlvError, IndexError):
            return
        self._values[_AIP] = value[:2] if tag == 0x80 else dict(parse(value)).get(_AIP, b"")

    def _collect(self, data: bytes) -> None:
        try:
            objects = parse(data)
        except TlvError:
            return
        for tag, value in objects:
            if tag in (0x6F, 0x70, 0xA5, 0x77, 0xBF0C):
                self._collect(value)
            else:
                self._objects[tag] = value

    # --- the social side ------------------------------------------------------------------------

    def _social(self, step: Step) -> Iterator[Explanation]:
        command, asked = step.command, step.answers
        assert command is not None, "see() looked"
        assert asked is not None, "see() looked"
        if command.ins == _EXTERNAL and step.done and len(command.data) in (16, 17):
            key = self._key(command.p2, step)
            if self._challenge is None:
                yield _unverified("cryptogram", "the challenge is not in the trace")
            else:
                yield self._check(key, self._challenge, command.data[8:16], command.data[:8])
        elif asked.ins == _INTERNAL and step.done and len(asked.data) == 16 and step.data:
            yield self._check("IRK@SSSE", asked.data[:8], asked.data[8:], step.data)

    @staticmethod
    def _key(kid: int, step: Step) -> str:
        place = "SSSE" if kid < 0x80 else f"{step.before.directory or 0:04X}"
        for key in CARD_KEYS:
            if (key.place, key.kid, key.kind) == (place, kid, _EXTERNAL_KIND):
                return key.label
        return ""

    def _check(self, name: str, factor: bytes, data: bytes, seen: bytes) -> Explanation:
        vault = self._vaults.get(Party.SOCIAL)
        if vault is None:
            return _unverified("cryptogram", "no keys of the social side were given")
        if not name:
            return _unverified("cryptogram", "no table of keys has this one")
        try:
            info = vault.info(name)
            key = CardIdentity(self._region, self._csn8).ref(info)
            expected = vault.cryptogram(key, factor, data)
        except VaultError as error:
            return _unverified("cryptogram", str(error))
        except ValueError:
            return _unverified("cryptogram", "the trace does not tell the card's region and serial")
        return _verdict("cryptogram", name, expected, seen)

    # --- the bank's side ------------------------------------------------------------------------

    def _bank(self, step: Step) -> Iterator[Explanation]:
        command, asked = step.command, step.answers
        assert command is not None, "see() looked"
        assert asked is not None, "see() looked"
        if asked.ins == _GENERATE and step.done and step.data:
            dol = self._objects.get(_CDOL2 if self._acs else _CDOL1)
            self._acs += 1
            values = None if dol is None else values_of(dol, asked.data)
            if values is None:
                yield _unverified("cryptogram", "its CDOL is not in the trace")
                return
            self._values |= values
            yield self._cryptogram(step.data)
        elif command.ins == _EXTERNAL and len(command.data) == 10 and self._first is not None:
            cryptogram, atc = self._first
            arc = command.data[8:]
            block = bytes(a ^ b for a, b in zip(cryptogram, arc + bytes(6), strict=True))
            yield self._bank_check("ARPC", atc, block, command.data[:8], enciphered=True)

    def _cryptogram(self, data: bytes) -> Explanation:
        try:
            tag, value = parse(data)[0]
            if tag == 0x80:
                atc, seen, iad = value[1:3], value[3:11], value[11:]
            else:
                held = dict(parse(value))
                atc, seen, iad = held[0x9F36], held[0x9F26], held[_IAD]
        except (TlvError, IndexError, KeyError):
            return _unverified("cryptogram", "the answer has none")
        covered = self._covered(atc, iad)
        if isinstance(covered, str):
            return _unverified("cryptogram", covered)
        number = int.from_bytes(atc)
        if self._first is None:
            self._first = seen, number
        return self._bank_check("cryptogram", number, covered, seen)

    def _covered(self, atc: bytes, iad: bytes) -> bytes | str:
        """Return the bytes a cryptogram is made over, or why they are not known (pse-pboc 4.4)."""
        if len(iad) < 7:
            return "its issuer application data are too short"
        version, verification = iad[2], iad[3:7]
        tags = _SHORT if version in _SHORT_VERSIONS else _COVERED
        if version not in (*_SHORT_VERSIONS, _FULL_VERSION):
            return f"cryptogram version {version:02X} is not known here"
        missing = [f"{tag:02X}" for tag in tags if tag not in self._values]
        if missing:
            return f"the trace does not tell {', '.join(missing)}"
        told = b"".join(self._values[tag] for tag in tags) + atc
        return told + (verification[1:2] if version in _SHORT_VERSIONS else verification)

    def _bank_check(
        self, what: str, atc: int, message: bytes, seen: bytes, *, enciphered: bool = False
    ) -> Explanation:
        vault = self._vaults.get(Party.BANK)
        if vault is None:
            return _unverified(what, "no keys of the bank were given")
        if _PAN not in self._objects:
            return _unverified(what, "the PAN is not in the trace, or masked")
        pan = self._objects[_PAN].hex().rstrip("f")
        identity = CardIdentity("", b"", pan, self._objects.get(_PSN, b"\0").hex())
        names = [key.name for key in vault.list_keys() if key.name.startswith("MDK-AC@")]
        expected, name = b"", ""
        for name in names:
            key = identity.ref(vault.info(name))
            for common in (False, True):
                seed = session_seed(atc, common=common)
                work = vault.transaction_encrypt if enciphered else vault.transaction_mac
                expected = work(key, seed, message)
                if expected == seen:
                    return _verdict(what, name, expected, seen)
        if not names:
            return _unverified(what, "the vault has no MDK-AC")
        return _verdict(what, name, expected, seen)


def _verdict(what: str, key: str, expected: bytes, seen: bytes) -> Explanation:
    if expected == seen:
        return Explanation(f"{what} verified", f"right under {key}")
    return Explanation(f"{what} verified", f"WRONG under {key}")


def _unverified(what: str, why: str) -> Explanation:
    return Explanation(f"{what} not verified", why)
