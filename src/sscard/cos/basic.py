"""READ, UPDATE and APPEND of binaries and records (cos 2.2, 5.1; ssse-lb002 3.4-3.6).

The order inside each handler is that of cos 5.3 from "object exists" on: object, kind,
protection, rights, data, space.
"""

from sscard.cos import records
from sscard.cos.commands import ANY_LC, CommandTable, Le
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.objects import Kind
from sscard.cos.refusal import Refusal, Reply
from sscard.cos.secure import plain_data
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["FILE_ACCESS"]

FILE_ACCESS = CommandTable("file access")

_READ, _UPDATE, _APPEND = 0, 1, 2
_NUMBER, _TAG, _PREVIOUS = 4, 0, 3
_RECORD_KINDS = (Kind.LINEAR_FIXED, Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV, Kind.CYCLIC)
_BY_NUMBER_OR_TAG = frozenset(p2 for p2 in range(256) if p2 & 7 in (_NUMBER, _TAG))
_BY_UPDATE = frozenset(p2 for p2 in range(256) if p2 & 7 in (_NUMBER, _TAG, _PREVIOUS))
_BY_SFI = frozenset(p2 for p2 in range(256) if p2 & 7 == 0)
_SHORT_EF = 0x80
_BINARY_P1 = frozenset((*range(_SHORT_EF), *range(_SHORT_EF, _SHORT_EF + 0x20)))
_MAC_ONLY = (0, 4)
_LE_ALL = 256


# --- binaries ---------------------------------------------------------------------------


@FILE_ACCESS.command(
    0x00, 0xB0, "READ BINARY", p1=_BINARY_P1, p2=None, le=Le.IGNORED, ref="cos 2.2"
)
@FILE_ACCESS.command(
    0x04, 0xB0, "READ BINARY", p1=_BINARY_P1, p2=None, lc=_MAC_ONLY, le=Le.IGNORED, ref="cos 2.2"
)
def read_binary(domain: Domain, command: Command) -> bytes | Reply:
    """Return Le bytes from an offset of a transparent EF; Le 00 gives what there is.

    Refuses: 6B00 past the end, 6Cxx when Le asks for more than the rest (ssse-lb002 3.6).
    """
    node, offset = _binary(domain, command)
    _, protect = plain_data(domain, command, node.header.sm_read)
    domain.require(node.header.access[_READ], "reading the file")
    rest = min(node.header.capacity, node.header.body_length) - offset
    if rest <= 0:
        raise Refusal(SW.WRONG_OFFSET, f"offset {offset} lies outside the file", "cos 2.2")
    wanted = command.le or _LE_ALL
    if wanted > rest:
        if wanted != _LE_ALL:
            raise Refusal(SW.wrong_le(rest), f"only {rest} bytes are left", "ssse-lb002 3.6")
        wanted = rest
    return _answer(node, protect(domain.store.read(node.body + offset, wanted)))


@FILE_ACCESS.command(
    (0x00, 0x04), 0xD6, "UPDATE BINARY", p1=_BINARY_P1, p2=None, lc=ANY_LC, ref="cos 2.2"
)
def update_binary(domain: Domain, command: Command) -> bytes:
    """Write the data at an offset of a transparent EF; 6B00 if they do not fit."""
    node, offset = _binary(domain, command)
    plain, _ = plain_data(domain, command, node.header.sm_write)
    _require_write(domain, node, _UPDATE)
    data = plain()
    if offset + len(data) > node.header.capacity:
        raise Refusal(SW.WRONG_OFFSET, "the data reach beyond the file", "cos 2.2")
    domain.store.write(node.body + offset, data)
    return b""


def _binary(domain: Domain, command: Command) -> tuple[FileNode, int]:
    """Return the file and the offset that P1 P2 name: SFI and offset, or the current EF."""
    if command.p1 & _SHORT_EF:
        node, offset = _by_sfi(domain, command.p1 & 0x1F), command.p2
    else:
        node, offset = _current(domain), command.p1p2
    if node.kind != Kind.TRANSPARENT:
        raise Refusal(SW.WRONG_FILE_KIND, "the file is not transparent", "cos 2.2")
    return node, offset


# --- records ----------------------------------------------------------------------------


@FILE_ACCESS.command(
    0x00, 0xB2, "READ RECORD", p1=None, p2=_BY_NUMBER_OR_TAG, le=Le.RECORD,
    ref="ssse-lb002 3.4; cos 2.2",
)  # fmt: skip
@FILE_ACCESS.command(
    0x04, 0xB2, "READ RECORD", p1=None, p2=_BY_NUMBER_OR_TAG, lc=_MAC_ONLY, le=Le.RECORD,
    ref="ssse-lb002 3.4; cos 2.2",
)  # fmt: skip
def read_record(domain: Domain, command: Command) -> bytes | Reply:
    """Return the record P1 names, by number or by tag as P2 says: of a TLV file the whole TLV."""
    node = _record_file(domain, command.p2)
    slot = _slot(domain, node, command)
    header = node.header
    _, protect = plain_data(domain, command, header.sm_read)
    domain.require(header.access[_READ], "reading the file")
    return _answer(node, protect(domain.store.read(*slot)))


@FILE_ACCESS.command(
    (0x00, 0x04), 0xDC, "UPDATE RECORD", p1=None, p2=_BY_UPDATE, lc=ANY_LC,
    ref="ssse-lb002 3.5; cos 2.2",
)  # fmt: skip
def update_record(domain: Domain, command: Command) -> bytes:
    """Replace a record by one of the same length; of a cyclic file write a new newest one.

    The data are compared with the record after the rights: 6700 another length, 6A80 another
    tag or inner length. Source: ssse-lb002 3.5.
    """
    node = _record_file(domain, command.p2)
    if node.kind == Kind.CYCLIC:
        _require_cyclic_form(command)
        return _append(domain, command, node, _UPDATE)
    if command.p2 & 7 == _PREVIOUS:
        raise Refusal(SW.WRONG_P1P2, "only a cyclic file has a previous record", "cos 2.2")
    slot = _slot(domain, node, command)
    plain, _ = plain_data(domain, command, node.header.sm_write)
    _require_write(domain, node, _UPDATE)
    data = plain()
    if len(data) != slot.length:
        raise Refusal(SW.WRONG_LENGTH, f"the record has {slot.length} bytes", "ssse-lb002 3.5")
    if node.kind == Kind.LINEAR_TLV and data[:2] != domain.store.read(slot.address, 2):
        raise Refusal(SW.WRONG_DATA, "tag and length are not the record's", "ssse-lb002 3.5")
    domain.store.write(slot.address, data)
    return b""


@FILE_ACCESS.command(
    (0x00, 0x04), 0xE2, "APPEND RECORD", p2=_BY_SFI, lc=ANY_LC, ref="ssse-lb002 3.5; cos 2.2"
)
def append_record(domain: Domain, command: Command) -> bytes:
    """Add a record at the end of a linear file, or as the newest of a cyclic one."""
    node = _record_file(domain, command.p2)
    return _append(domain, command, node, _UPDATE if domain.applet.append_by_update else _APPEND)


def _append(domain: Domain, command: Command, node: FileNode, right: int) -> bytes:
    plain, _ = plain_data(domain, command, node.header.sm_write)
    _require_write(domain, node, right)
    data = plain()
    if (
        domain.applet.append_by_update
        and node.kind != Kind.CYCLIC
        and domain.state != DomainState.OWNED
    ):
        raise Refusal(SW.NO_SPACE, "the file takes no new records any more", "ssse-lb002 3.5")
    records.add(domain.store, node, data)
    return b""


def _slot(domain: Domain, node: FileNode, command: Command) -> records.Slot:
    if command.p2 & 7 == _NUMBER:
        slot = records.by_number(domain.store, node, command.p1)
    elif node.kind == Kind.LINEAR_TLV:
        slot = records.by_tag(domain.store, node, command.p1)
    else:
        raise Refusal(SW.WRONG_P1P2, "only a TLV file is addressed by tag", "ssse-lb002 3.4")
    if slot is None:
        raise Refusal(SW.RECORD_NOT_FOUND, "there is no such record", "ssse-lb002 3.4")
    return slot


def _require_cyclic_form(command: Command) -> None:
    if command.p1 or command.p2 & 7 not in (_NUMBER, _PREVIOUS):
        raise Refusal(
            SW.WRONG_P1P2, "a cyclic file is written with P1 = 00 and mode 3 or 4", "ssse-lb002 3.5"
        )


# --- what all share -----------------------------------------------------------------------


def _record_file(domain: Domain, p2: int) -> FileNode:
    node = _by_sfi(domain, p2 >> 3) if p2 >> 3 else _current(domain)
    if node.kind not in _RECORD_KINDS:
        raise Refusal(SW.WRONG_FILE_KIND, "the file has no records", "cos 2.2")
    return node


def _by_sfi(domain: Domain, sfi: int) -> FileNode:
    """Return the EF of the current directory with this SFI and make it current (F3)."""
    node = domain.directory.by_sfi.get(sfi)
    if node is None:
        raise Refusal(SW.FILE_NOT_FOUND, f"no EF here has the SFI {sfi:02X}", "cos 3.3 F3")
    domain.session.file = node
    return node


def _current(domain: Domain) -> FileNode:
    node = domain.session.file
    if node is None:
        raise Refusal(SW.NO_CURRENT_EF, "no EF is current", "cos 5.3")
    return node


def _require_write(domain: Domain, node: FileNode, right: int) -> None:
    """Check a write right, the personalisation override and the object's health (cos 2.3)."""
    if not domain.override():
        domain.require(node.header.access[right], "writing the file")
    if node.damaged:
        raise Refusal(SW.MEMORY_FAILURE, "the object is damaged", "cos 2.5")


def _answer(node: FileNode, data: bytes) -> bytes | Reply:
    return Reply(data, SW.CORRUPT_DATA) if node.damaged else data
