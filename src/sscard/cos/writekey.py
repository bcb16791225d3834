"""WRITE KEY: installing and replacing keys under their parent (cos 4.3, 4.4, 4.1).

Where power over an environment changes hands: the transaction that writes the first master
key of an environment also takes it from the card master key.
"""

from sscard.cos import access
from sscard.cos.authenticate import master_mac, require_master
from sscard.cos.commands import CommandTable
from sscard.cos.domain import CM, Domain
from sscard.cos.keyfile import check_value, value_fits
from sscard.cos.layout import CardLifeCycle, DomainState, TransportKeyState
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm

__all__ = ["WRITE_KEY", "hand_over", "received"]

WRITE_KEY = CommandTable("write key")

_REF = "cos 4.3"
_HEADER = 12
_INSTALL, _REPLACE = 0x00, 0x01
_VERSIONED = frozenset(
    {
        KeyType.DLK,
        KeyType.DPK,
        KeyType.DTK,
        KeyType.EXTERNAL_AUTH,
        KeyType.INTERNAL_AUTH,
    }
)
_SUITE_BIT: dict[int, int] = {
    Algorithm.TDES: 1,
    Algorithm.DES: 1,
    Algorithm.SSF33: 1,
    Algorithm.SM4: 2,
}
_PIN_TYPES = (KeyType.PIN, KeyType.PUK)


@WRITE_KEY.command(
    (0x84, 0x80),
    0xD4,
    "WRITE KEY",
    p1=(_INSTALL, _REPLACE),
    lc=None,
    ref="cos 4.3",
)
def write_key(domain: Domain, command: Command) -> bytes:
    """Install (P1 = 00) or replace (P1 = 01) a key of the current directory.

    Order of checks: cos 4.3, which wins over 5.3.
    """
    here = domain.directory
    holder = here.key_file
    if holder is None:
        if command.cla != 0x80:
            _parent(domain, command)  # 6700 comes first (cos 5.3)
        raise Refusal(SW.FILE_NOT_FOUND, "the current directory has no key EF", _REF)
    plain = _plain(domain, command) if command.cla == 0x80 else received(domain, command)
    header, value = _split(plain)
    key = _fresh_record(here, header, value)
    present = _matching(domain, here, key)
    _check_right(domain, holder, present, install=command.p1 == _INSTALL)
    slot = _slot(domain, holder, key, present, install=command.p1 == _INSTALL)
    if holder.damaged:
        raise Refusal(SW.MEMORY_FAILURE, "the key EF is damaged", "cos 2.5")
    domain.store.write(slot, key.build())
    domain.after_commit(domain.keys.forget)
    if key.type == KeyType.MASTER:
        domain.after_commit(domain.clear_rights)
        if here.parent is None and domain.state == DomainState.CREATED:
            hand_over(domain)
    return b""


def received(domain: Domain, command: Command) -> bytes:
    """Return the plain data of a WRITE KEY, deciphered and authenticated under its parent.

    Order: 6A88 no parent, 6700, 6984, 6983, 6988, then 6A80. Source: cos 4.3.
    """
    parent = _parent(domain, command)
    master_mac(domain, command, parent)
    try:
        return domain.crypto.unwrap(parent, command.data[:-4])
    except ValueError as error:
        raise Refusal(
            SW.WRONG_DATA, f"the deciphered data are not LD data: {error}", _REF
        ) from None


def _parent(domain: Domain, command: Command) -> KeyRecord:
    """Return the key above the one written; 6700 unless the data are blocks of its cipher."""
    parent = require_master(domain)
    block = domain.crypto.block_size(parent)
    length = len(command.data) - 4
    if length < block or length % block:
        raise Refusal(SW.WRONG_LENGTH, "the data are not whole blocks and a MAC", _REF)
    return parent


def _plain(domain: Domain, command: Command) -> bytes:
    if not domain.facts.plain_keys:
        raise Refusal(SW.CLA_UNKNOWN, "plain key loading is for test cards", _REF)
    if len(command.data) <= _HEADER:
        raise Refusal(SW.WRONG_LENGTH, "the data are not a key header and a key", _REF)
    return command.data


def _split(data: bytes) -> tuple[bytes, bytes]:
    header, value = data[:_HEADER], data[_HEADER:]
    if len(header) < _HEADER or header[11] != len(value):
        raise Refusal(SW.WRONG_DATA, "the key header does not fit the key", "cos 4.4")
    return header, value


def _fresh_record(here: FileNode, header: bytes, value: bytes) -> KeyRecord:
    """Return the record for a sane key header; 6A80 otherwise (cos 4.3, Header sane)."""
    why = _insane(here, header, value)
    if why:
        raise Refusal(SW.WRONG_DATA, why, _REF)
    return KeyRecord.from_header(header, value, check_value(header[0], header[3], value))


def _insane(here: FileNode, header: bytes, value: bytes) -> str:
    kind, identifier, _, algorithm, tries, grant = header[:6]
    words = (int.from_bytes(header[6:8], "big"), int.from_bytes(header[8:10], "big"))
    if kind not in KeyType.__members__.values():
        return f"unknown key type {kind:02X}"
    if kind not in _PIN_TYPES and not here.header.suite & _SUITE_BIT.get(algorithm, 0):
        return f"algorithm {algorithm:02X} is not in the suite of this directory"
    if not value_fits(kind, algorithm, len(value)):
        return f"a value of {len(value)} bytes does not fit its type and algorithm"
    if tries != 0xFF and not 1 <= tries & 0x0F <= tries >> 4:
        return f"try limit {tries:02X} is undefined"
    if grant > 0x0F and grant != 0xFF:
        return f"grant {grant:02X} is undefined"
    if not all(access.valid(word) for word in words):
        return "an access condition of the key is undefined"
    if kind == KeyType.MASTER and (identifier, grant) != (0, 15):
        return "a master key has id 00 and grant 0F"
    if kind == KeyType.EXTERNAL_AUTH and identifier == 0:
        return "id 00 is the master key's"
    return ""


def _matching(domain: Domain, here: FileNode, key: KeyRecord) -> KeyRecord | None:
    """Return the record this one would replace or double (cos 4.3, 4.4).

    Same type and id and, where several versions may stand beside each other, same version.
    """
    version = key.version if key.type in _VERSIONED else None
    return domain.keys.find(here, key.type, key.id, version)


def _check_right(
    domain: Domain, holder: FileNode, present: KeyRecord | None, *, install: bool
) -> None:
    if install:
        if not domain.override():
            domain.require(holder.header.access[0], "installing a key", _REF)
    elif present is not None:
        domain.require(present.change, "replacing this key", _REF)


def _slot(
    domain: Domain,
    holder: FileNode,
    key: KeyRecord,
    present: KeyRecord | None,
    *,
    install: bool,
) -> int:
    """Return the address of the slot to write (cos 4.3: right, then space, then duplicate)."""
    here = domain.directory
    if not install:
        if present is None:
            raise Refusal(SW.DATA_NOT_FOUND, "there is no such key to replace", _REF)
        return present.address
    if here.parent is None and key.type != KeyType.MASTER and not domain.keys.has_master(here):
        raise Refusal(SW.CONDITIONS, "the first key of an MF or DDF is its master key", _REF)
    slot = domain.keys.free_slot(holder)
    if slot is None:
        raise Refusal(SW.NO_SPACE, "every slot of the key EF is taken", _REF)
    if present is not None:
        raise Refusal(SW.FID_EXISTS, "such a key exists already", _REF)
    return slot


def hand_over(domain: Domain) -> None:
    """Give the domain to the key just written, in the same transaction (cos 4.1, 3.4)."""
    domain.write_header(state=DomainState.OWNED)
    domain.after_commit(domain.request_rewiring)
    if domain.code == CM:
        domain.keys.write_card_state(
            life_cycle=CardLifeCycle.INITIALISED,
            tk_state=TransportKeyState.DESTROYED,
            tk=bytes(16),
        )
        return
    states = dict(domain.facts.states())
    states[domain.code] = DomainState.OWNED
    if len(states) == 2 and DomainState.CREATED not in states.values():
        domain.keys.write_card_state(life_cycle=CardLifeCycle.HANDED_OVER)
