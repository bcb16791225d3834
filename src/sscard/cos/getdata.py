"""GET DATA of the COS: what the card and its domains tell about themselves (cos 5.1)."""

from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import Domain
from sscard.cos.objects import Kind
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode

__all__ = ["COS_TAGS", "GET_DATA", "cos_data"]

GET_DATA = CommandTable("get data")

_REF = "cos 5.1"
_BLOCK = 28
_CARD, _SERIAL, _DOMAIN, _KEYS, _FILES = 0xC0, 0xC3, 0xD0, 0xD1, 0xD2
COS_TAGS = (_CARD, _SERIAL, _DOMAIN, _KEYS, _FILES)
_MASTER_PROOF = 0x8F00


@GET_DATA.command(
    0x80,
    0xCA,
    "GET DATA",
    p1=None,
    p2=None,
    survives=Survives.BLOCKED | Survives.TERMINATED | Survives.BLANK,
    ref="cos 5.1",
)
def get_data(domain: Domain, command: Command) -> bytes:
    """Return the data object P2 names; of the lists D1 and D2 the block P1."""
    return cos_data(domain, command.p1, command.p2)


def cos_data(domain: Domain, block: int, tag: int) -> bytes:
    """Return one of the objects C0, C3, D0, D1, D2; 6A88 for any other."""
    if tag in (_KEYS, _FILES):
        return _listing(domain, block, tag)
    if block == 0:
        if tag == _CARD:
            return _card(domain)
        if tag == _SERIAL:
            return domain.facts.chip_serial
        if tag == _DOMAIN and domain.extent.pages:
            return _domain(domain)
    raise Refusal(SW.DATA_NOT_FOUND, f"no data object {block:02X}{tag:02X}", _REF)


def _card(domain: Domain) -> bytes:
    facts = domain.facts
    states = b"".join(bytes(pair) for pair in facts.states())
    return encode(
        0xE1,
        encode(0x80, facts.chip_serial)
        + encode(0x81, bytes((facts.card_lcs(),)))
        + encode(0x82, facts.eeprom_size.to_bytes(3, "big"))
        + encode(0x83, facts.unallocated().to_bytes(3, "big"))
        + encode(0x84, facts.cos_id)
        + encode(0x86, states),
    )


def _domain(domain: Domain) -> bytes:
    tree = domain.extent.tree
    inner = encode(0x80, bytes((domain.code,)))
    inner += encode(0x81, bytes((domain.state,)))
    inner += encode(0x82, (domain.extent.pages * 64).to_bytes(3, "big"))
    inner += encode(0x83, tree.free.to_bytes(3, "big"))
    master = domain.keys.root_master()
    if master is not None:
        inner += encode(0x84, bytes((master.version,)))
        if domain.options["kcv_public"] == "on":
            inner += encode(0x85, master.kcv)
    inner += encode(0x86, bytes((domain.header.block,)))
    return encode(0xE2, inner)


def _listing(domain: Domain, block: int, tag: int) -> bytes:
    here = domain.directory
    domain.require(_MASTER_PROOF, "a list of keys or files", _REF)
    if tag == _KEYS:
        entries = [
            bytes((key.type, key.id, key.version, key.algorithm, key.tries))
            + bytes((domain.tries_left(key),))
            + key.kcv
            for key in domain.keys.records(here)
        ]
    else:
        entries = [
            node.fid.to_bytes(2, "big")
            + bytes((node.kind,))
            + (0 if node.kind == Kind.DIRECTORY else node.header.capacity).to_bytes(2, "big")
            for node in here.children
        ]
    wanted = entries[block * _BLOCK : (block + 1) * _BLOCK]
    if not wanted:
        raise Refusal(SW.DATA_NOT_FOUND, f"the list has no block {block}", _REF)
    return b"".join(wanted)
