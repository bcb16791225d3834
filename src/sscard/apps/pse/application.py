"""The current application of the PSE as its files hold it: data, counters, keys (pse-pboc 9).

An `Application` is a window for one command on the current directory of a domain. What was
parsed stays in the store's memo until something is written, what follows from bytes alone in
bounded caches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from sscard.apps.pse import records
from sscard.apps.pse.dol import Dol
from sscard.apps.pse.layout import (
    COUNTERS_AT,
    ENTRIES_AT,
    HEAD_SIZE,
    PERSONALISED,
    Body,
    Counters,
    parse_entries,
)
from sscard.apps.pse.numbers import to_n12
from sscard.apps.pse.risk import Aip, CardData, Rules, Verdict
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType, Kind
from sscard.cos.policy import Restriction
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError, encode, found, parse
from sscard.keys import Algorithm, pboc
from sscard.keys.rsa import RsaKey, cda_answer_length
from sscard.spec.dgis import (
    AIP_AFL,
    AIP_AFL_CASH,
    AIP_AFL_QUICK,
    FCI,
    FCI_CONTACTLESS,
    ICC_CRT,
    ICC_EXPONENT,
    ICC_MODULUS,
    ISSUER_DATA,
    PIN_CRT,
)

__all__ = [
    "AFL_SFIS",
    "ANSWER_MOST",
    "DATA_FILE",
    "KEY_FILE",
    "Application",
    "Offer",
    "Profile",
    "is_personalised",
]

DATA_FILE, KEY_FILE = 0xEF90, 0xEF91
_REF = "pse-pboc 9"
ANSWER_MOST = 256
"""Bytes of a short response."""
AFL_SFIS = range(1, 11)
_CDOL1, _CDOL2, _DDOL, _ICC_EXPONENT = 0x8C, 0x8D, 0x9F49, 0x9F47
_SESSION_KEY_LENGTH = 32
_DERIVATIONS = {
    "pboc": pboc.session_key,
    "emv_csk": pboc.emv_common_session_key,
    "vis": pboc.vis_session_key,
}
"""Session keys by the values of `pse_session_keys` and `pse_script_keys`."""
_TRACK_2, _RELATED, _SIGNATURE = 0x57, 0x9F69, 0x9F4B
_BALANCE = 0x9F79
_DEFAULT_DDOL = bytes.fromhex("9F3704")


class Offer(NamedTuple):
    """What GPO answers: AIP and AFL, empty where they were not personalised."""

    aip: bytes
    afl: bytes

    @classmethod
    def parse(cls, template: bytes) -> "Offer":
        """Take them from the value of DGI 9104, 9203 or 9207; of an AFL its whole entries."""
        afl = _inner(template, 0x94)
        return cls(_inner(template, 0x82), afl[: len(afl) // 4 * 4])


@dataclass(frozen=True, slots=True)
class Profile:
    """Personalised data as commands need them; empty bytes and lists for what is not there.

    `fci` the A5 template, `debit`, `cash` and `quick` the answers to GPO, `issuer_data` 9F10;
    `elements` the risk data by tag; `log_sfi` that of 9F4D, 0 without a log.
    """

    fci: bytes
    debit: Offer
    cash: Offer
    quick: Offer
    issuer_data: bytes
    elements: Mapping[int, bytes]
    risk: CardData
    pdol: Dol
    log_sfi: int
    log_format: Dol


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists and values that stand in records: CDOL1, CDOL2, DDOL, the ICC key's exponent.

    For qPBOC: track 2, 9F69, and whether a record has the 9F4B it fills (pse-pboc 6.2).
    """

    cdol1: Dol
    cdol2: Dol
    ddol: Dol
    exponent: int
    track_2: bytes
    related: bytes
    signed_record: bool


@lru_cache(maxsize=64)
def _profile(raw: bytes, *, contactless: bool) -> Profile:
    entries = parse_entries(raw)
    fci = entries.get(FCI, b"")
    issuer_data = entries.get(ISSUER_DATA, b"")
    if contactless:
        fci = entries.get(FCI_CONTACTLESS, fci)
        issuer_data = entries.get(AIP_AFL_QUICK, b"") + issuer_data
    log_entry = _inner(fci, 0x9F4D)
    return Profile(
        fci=fci,
        debit=Offer.parse(entries.get(AIP_AFL, b"")),
        cash=Offer.parse(entries.get(AIP_AFL_CASH, b"")),
        quick=Offer.parse(entries.get(AIP_AFL_QUICK, b"")),
        issuer_data=_inner(issuer_data, 0x9F10),
        elements=entries,
        risk=CardData.parse(entries),
        pdol=Dol.parse(_inner(fci, 0x9F38)),
        log_sfi=log_entry[0] if log_entry else 0,
        log_format=Dol.parse(entries.get(0x9F4F, b"")),
    )


def _inner(data: bytes, tag: int) -> bytes:
    return found(data, tag) or b""


@lru_cache(maxsize=64)
def _lists(bodies: tuple[bytes, ...]) -> Lists:
    held: dict[int, bytes] = {}
    for body in bodies:
        for record in records.split(body):
            try:
                for tag, value in parse(_inner(record, 0x70)):
                    held.setdefault(tag, value)
            except TlvError:
                continue
    return Lists(
        cdol1=Dol.parse(held.get(_CDOL1, b"")),
        cdol2=Dol.parse(held.get(_CDOL2, b"")),
        ddol=Dol.parse(held.get(_DDOL, _DEFAULT_DDOL)),
        exponent=int.from_bytes(held.get(_ICC_EXPONENT, b"\x03"), "big"),
        track_2=held.get(_TRACK_2, b""),
        related=held.get(_RELATED, b""),
        signed_record=_SIGNATURE in held,
    )


@lru_cache(maxsize=16)
def _pin_key(body: bytes) -> RsaKey | None:
    """Return the private key for enciphered PINs of EF91, if it has one of its own."""
    try:
        return _of_crt_parts(parse_entries(body), PIN_CRT)
    except ValueError:
        return None


def _of_crt_parts(parts: Mapping[int, bytes], dgis: range) -> RsaKey | None:
    crt = [parts[dgi] for dgi in dgis if dgi in parts]
    return RsaKey.from_crt(*crt) if len(crt) == len(dgis) else None


@lru_cache(maxsize=16)
def _icc_key(body: bytes, exponent: int) -> RsaKey | None:
    """Return the ICC key of EF91, from its CRT parts, else from modulus and exponents."""
    parts = parse_entries(body)
    try:
        key = _of_crt_parts(parts, ICC_CRT)
        if key is not None:
            return key
        modulus, private = parts.get(ICC_MODULUS), parts.get(ICC_EXPONENT)
        if modulus is None or private is None:
            return None
        n, d = int.from_bytes(modulus, "big"), int.from_bytes(private, "big")
        return RsaKey.from_exponents(n, exponent, d)
    except ValueError:
        return None


def is_personalised(domain: Domain, node: FileNode | None) -> bool:
    """Whether the last STORE DATA of a directory's application is done."""
    data = None if node is None else _file(node, DATA_FILE)
    if data is None or data.header.body_length < len(PERSONALISED):
        return False
    return domain.store.read(data.body, len(PERSONALISED)) == PERSONALISED


def _file(node: FileNode, fid: int) -> FileNode | None:
    child = node.child(fid)
    return child if child is not None and child.kind == Kind.INTERNAL else None


class Application:
    """The application of the current directory, for the time of one command."""

    __slots__ = ("domain", "node")

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.node = domain.directory

    # --- data -------------------------------------------------------------------------

    def file(self, fid: int) -> FileNode:
        """Return EF90 or EF91 for writing; 6A88 when there is none, 6581 a damaged one."""
        found = _file(self.node, fid)
        if found is None:
            raise Refusal(SW.DATA_NOT_FOUND, f"the application has no {fid:04X}", _REF)
        if found.damaged:
            raise Refusal(SW.MEMORY_FAILURE, f"{fid:04X} is damaged", "cos 2.5")
        return found

    def _content(self, fid: int) -> bytes:
        found = _file(self.node, fid)
        store = self.domain.store
        return b"" if found is None else store.read(found.body, found.header.body_length)

    @property
    def body(self) -> Body:
        """EF90 as it stands."""
        return Body.parse(self._content(DATA_FILE))

    @property
    def counters(self) -> Counters:
        """The counters as they stand."""
        found = _file(self.node, DATA_FILE)
        if found is None or found.header.body_length < ENTRIES_AT:
            return Counters()
        return Counters.of_file(self.domain.store.read(found.body, HEAD_SIZE))

    @property
    def profile(self) -> Profile:
        """The personalised data of EF90."""
        memo = self.domain.store.memo
        known: Profile | None = memo.get(self.node.address)
        if known is None:
            known = memo[self.node.address] = _profile(
                self._content(DATA_FILE)[ENTRIES_AT:],
                contactless=self.domain.facts.contactless,
            )
        return known

    @property
    def risk(self) -> CardData:
        """The risk data, with the rules this card's switches choose."""
        options = self.domain.options
        rules = Rules(
            referrals=options["pse_approving_arcs"] == "referrals",
            declined_counts=options["pse_declined_counts"] == "yes",
            rounded=options["pse_conversion"] == "rounded",
        )
        data = self.profile.risk
        return data if rules == data.rules else replace(data, rules=rules)

    @property
    def lists(self) -> Lists:
        """What commands take from the records of SFI 1 to 10."""
        memo = self.domain.store.memo
        known: Lists | None = memo.get(self.node.body)
        if known is None:
            store = self.domain.store
            bodies = tuple(
                store.read(file.body, file.header.body_length)
                for file in self.node.children
                if file.kind == Kind.LINEAR_VARIABLE and file.sfi in AFL_SFIS
            )
            known = memo[self.node.body] = _lists(bodies)
        return known

    def write_counters(self, counters: Counters) -> None:
        """Put the counters into the transaction."""
        self.domain.store.write(self.file(DATA_FILE).body + COUNTERS_AT, counters.build())

    def settle(self, verdict: Verdict) -> None:
        """Put what a verdict leaves into the transaction: counters, and a balance it debits."""
        if verdict.balance is None:
            self.write_counters(verdict.counters)
        else:
            body = self.body._replace(counters=verdict.counters)
            content = body.with_entry(_BALANCE, to_n12(verdict.balance)).build()
            self.domain.store.write(self.file(DATA_FILE).body, content)

    # --- state --------------------------------------------------------------------------

    @property
    def blocked(self) -> bool:
        """Whether the application is blocked, for a time or for good."""
        return self.domain.session.restriction in (
            Restriction.BLOCKED,
            Restriction.BLOCKED_PERMANENTLY,
        )

    @property
    def blocked_for_good(self) -> bool:
        """Whether the application is blocked for ever: its ATC is used up."""
        return self.domain.session.restriction is Restriction.BLOCKED_PERMANENTLY

    # --- keys ---------------------------------------------------------------------------

    def card_key(self, kind: KeyType) -> bytes:
        """Return a UDK (types 10, 11, 12), 16 bytes; 6985 when it was not loaded."""
        for key in self.domain.keys.records(self.node):
            if key.type == kind and key.algorithm == Algorithm.TDES:
                return key.value
        raise Refusal(SW.CONDITIONS, f"the application has no key of type {kind:02X}", _REF)

    def session_key(self, kind: KeyType, atc: int) -> bytes:
        """Return the session key of a UDK for a transaction, 16 bytes. Source: pse-pboc 4.2."""
        return self._derived(kind, atc, self.domain.options["pse_session_keys"])

    def script_key(self, kind: KeyType, atc: int) -> bytes:
        """Return the key that protects scripts of a transaction. Source: pse-pboc 4.2, 4.8."""
        options = self.domain.options
        vis = options["pse_script_keys"] == "vis"
        return self._derived(kind, atc, "vis" if vis else options["pse_session_keys"])

    def _derived(self, kind: KeyType, atc: int, form: str) -> bytes:
        self.domain.crypto.charge(Algorithm.TDES, _SESSION_KEY_LENGTH)
        return _DERIVATIONS[form](self.card_key(kind), atc)

    @property
    def private_key(self) -> RsaKey | None:
        """The ICC private key, None when it was not personalised, or does not fit together."""
        return _icc_key(self._content(KEY_FILE), self.lists.exponent)

    @property
    def icc_key(self) -> RsaKey:
        """The ICC private key; 6985 without one, or one no command of the card brought."""
        key = self.private_key
        if key is None or self.longest_answer(key.size) > ANSWER_MOST:
            raise Refusal(SW.CONDITIONS, "the application has no ICC private key", _REF)
        return key

    def longest_answer(self, size: int) -> int:
        """Return the most bytes a command answers with a signature of `size` bytes (4.9)."""
        profile = self.profile
        offered = (profile.debit.aip, profile.cash.aip)
        if not any(aip[0] & Aip.CDA for aip in offered if aip):
            return len(encode(0x80, bytes(size)))
        template = profile.issuer_data
        filled = 9 + template[8] if len(template) > 8 else 0
        return cda_answer_length(size, max(len(template), filled))

    @property
    def pin_key(self) -> RsaKey | None:
        """The private key for enciphered PINs: its own, or the ICC key (pse-pboc 4.10)."""
        return _pin_key(self._content(KEY_FILE)) or self.private_key

    @property
    def pin(self) -> KeyRecord | None:
        """The record of the reference PIN, if one is personalised."""
        found = self.domain.find_key(KeyType.PIN, 0)
        return None if found is None else found[0]

    @property
    def pin_tries(self) -> int | None:
        """PIN tries left, None without a PIN."""
        pin = self.pin
        return None if pin is None else self.domain.tries_left(pin)
