"""What a session is made of: orders, and who holds the keys and data to carry them out.

Source: ssse-lb002 2.3, 4.1; cos 2.3, 4.4.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations
from typing import Any, Final, NamedTuple, Protocol

from sscard.card import Card
from sscard.cos.access import satisfied
from sscard.errors import ProfileError
from sscard.perso.model import Directory, File
from sscard.perso.profile import Profile
from sscard.spec.codes import SM_ENCIPHER
from sscard.testing.models.pse_values import Debit
from sscard.testing.models.ssse_values import DES, MASTER
from sscard.testing.pse_subjects import Bank, pse_subject
from sscard.testing.subjects import Subject, subject

__all__ = ["Exchanged", "Guarded", "Held", "Holder", "Order", "Port", "holder"]

_TRANSPARENT: Final = 0x01
_PROOF: Final = 0x0D
"""The type of keys for external authentication (cos 4.4)."""
_ACCOUNT: Final = {"DLK": 0x08, "DPK": 0x09}
_MEDICAL: Final = 0xDF04


class Port(Protocol):
    """What a session is sent through: an activation, or a terminal's or reader's connection."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Send a command APDU; return data and status word."""
        ...


class Exchanged(NamedTuple):
    """One command of a session that was played, with the order it came from."""

    order: "Order"
    apdu: bytes
    response: bytes

    @property
    def sw(self) -> str:
        """The status word in hex."""
        return self.response[-2:].hex().upper()


class Order(NamedTuple):
    """One thing to do.

    `what` is select, prove, verify, change, reload, read, update, protect, load, buy, gpo,
    generate, issuer, script or raw; `place` the directory (SSSE, DF01 .., PSE); `number` a key
    id, an SFI, an amount in fen, P1 of GENERATE AC, P2 of UNBLOCK PIN, a value of a script;
    `fault` "" for rightly done, "bit" for one bit wrong in the proof, "stale" for one that was
    used; `data` the amount, the bytes written, a new PIN, the name of a script, the whole APDU,
    or, of read, b"b" for a binary file.
    """

    what: str
    place: str = ""
    number: int = 0
    fault: str = ""
    data: bytes = b""


class Guarded(NamedTuple):
    """How an update of a file is protected: (place, KID) of the STK, enciphered or not."""

    key: tuple[str, int]
    encipher: bool


class Held(NamedTuple):
    """A file of the SSSE with an SFI, the proofs that open it, and the form of its updates.

    `writing` None: nobody may.
    """

    place: str
    sfi: int
    in_records: bool
    reading: tuple[Order, ...]
    writing: tuple[Order, ...] | None
    guarded: Guarded | None


class Holder(NamedTuple):
    """Who holds what a session needs: the social keys and PIN, the bank and its card's data.

    `account` has DLK and DPK of the medical account; empty where it cannot be used.
    """

    profile: str
    settings: tuple[tuple[str, Any], ...]
    made: Profile
    social: Subject | None
    pin: bytes
    keys: tuple[tuple[str, int], ...]
    files: tuple[Held, ...]
    account: Mapping[str, bytes]
    bank: Bank | None
    debit: Debit | None
    card: Card

    def __repr__(self) -> str:
        return f"{self.profile}{dict(self.settings) or ''}"


@lru_cache(maxsize=16)
def holder(profile: str, settings: tuple[tuple[str, Any], ...]) -> Holder:
    """Return who plays with cards of a profile; ProfileError when there is nothing to play."""
    made = Profile.load(profile, dict(settings))
    social = subject(profile, settings) if made.ssse is not None else None
    has_debit = made.pse is not None and made.pse.directories
    bank = pse_subject(profile, dict(settings)) if has_debit else None
    card = social.snapshot.fork() if social is not None else bank.card if bank is not None else None
    if card is None:
        raise ProfileError(f"a card {profile} has neither SSSE nor debit application")
    pin: bytes = b""
    keys: tuple[tuple[str, int], ...] = ()
    files: tuple[Held, ...] = ()
    account: dict[str, bytes] = {}
    if made.ssse is not None:
        pin = made.ssse.pin.value if made.ssse.pin is not None else b""
        keys = tuple(_keys(made.ssse))
        files = tuple(_files(made.ssse))
        account = _account(made.ssse)
    return Holder(
        profile, settings, made, social, pin, keys, files, account,
        None if bank is None else bank.bank, None if bank is None else bank.debit, card,
    )  # fmt: skip


def _keys(ddf: Directory) -> Iterator[tuple[str, int]]:
    """The keys that EXTERNAL AUTHENTICATE takes, by place and number."""
    for place, directory in (("SSSE", ddf), *((f"{one.fid:04X}", one) for one in ddf.directories)):
        if directory.master is not None:
            yield place, MASTER
        yield from ((place, key.id) for key in directory.keys if key.type == _PROOF)


def _files(ddf: Directory) -> Iterator[Held]:
    above = _provable("SSSE", ddf)
    for place, directory in (("SSSE", ddf), *((f"{one.fid:04X}", one) for one in ddf.directories)):
        own = _provable(place, directory) if directory is not ddf else above
        for file in directory.files:
            reading, writing = (_proofs(word, own, above) for word in (file.read, file.update))
            if file.sfi and reading is not None:
                guarded = _guarded(file, place, directory, ddf)
                records = file.kind != _TRANSPARENT
                yield Held(place, file.sfi, records, reading, writing, guarded)


def _guarded(file: File, place: str, directory: Directory, ddf: Directory) -> Guarded | None:
    """The protection a file's updates want, under the nearest STK (cos 2.3, ssse-lb002 4.7)."""
    if not file.protected_update:
        return None
    own, above = directory.line_key(file.sm_update), ddf.line_key(file.sm_update)
    key = (place, own.id) if own is not None else ("SSSE", above.id) if above is not None else None
    return None if key is None else Guarded(key, bool(file.sm_update & SM_ENCIPHER))


def _account(ddf: Directory) -> dict[str, bytes]:
    """DLK and DPK of the medical account, which is defined for 3DES (ssse-lb002 3.10)."""
    medical = next((one for one in ddf.directories if one.fid == _MEDICAL), None)
    held = {} if medical is None else {n: medical.key(kind, 1) for n, kind in _ACCOUNT.items()}
    return {n: key.value for n, key in held.items() if key is not None and key.algorithm == DES}


def _provable(place: str, directory: Directory) -> dict[int, Order]:
    """The grants of a directory's keys, and how each is come by (cos 2.3)."""
    found = {
        key.grant: Order("prove", place, key.id) for key in directory.keys if key.type == _PROOF
    }
    if directory.pin is not None:
        found[directory.pin.grant] = Order("verify", "SSSE")
    return {grant: order for grant, order in found.items() if grant <= 0x0F}


def _proofs(
    word: int, own: Mapping[int, Order], above: Mapping[int, Order]
) -> tuple[Order, ...] | None:
    """The fewest proofs that satisfy an access condition; None when there are none."""
    every = [(1 << grant, 0, order) for grant, order in own.items()]
    every += [(0, 1 << grant, order) for grant, order in above.items()]
    for count in range(3):
        for chosen in combinations(every, count):
            if satisfied(word, sum(one for one, _, _ in chosen), sum(one for _, one, _ in chosen)):
                return tuple(order for _, _, order in chosen)
    return None
