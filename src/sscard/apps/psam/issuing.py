"""Personalisation of a PSAM: CREATE, WRITE KEY, END ISSUE (cos 2.1 column PSAM, 7.2, 7.3).

Until END ISSUE a directory is in its issuing phase, life-cycle status 01: its access conditions
are not asked, as on the cards the reference took this from; only keys are always enciphered
and authenticated. Afterwards, status 05, nothing is created in it any more, and its conditions
hold: free, never, or the proof of its master key.
"""

from sscard.cos import access
from sscard.cos.authenticate import authenticate, master_mac
from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import CM, Domain
from sscard.cos.fcp import FileRequest
from sscard.cos.layout import DomainState
from sscard.cos.manage import append_object, new_extent
from sscard.cos.objects import KEY_RECORD_SIZE, KeyRecord, KeyType, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.cos.writekey import hand_over, received
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.keys.diversify import kcv
from sscard.spec.psam import (
    FREE,
    KEY_SLOT_SIZE,
    LEVELS_MAX,
    MAC2_TRIES,
    NEVER,
    DirectoryEntry,
    FileEntry,
    FileKind,
    Use,
    levels,
    use_of,
)

__all__ = ["COMMANDS", "in_issue"]

COMMANDS = CommandTable("PSAM personalisation")

_REF = "cos 7.2"
_MF = 0x3F00
_RESERVED_FIDS = (0x0000, _MF, 0x3FFF, 0xFFFF)
_LCS_AT = 5
_IN_ISSUE, _ISSUED = 0x01, 0x05
_OF_MASTER_KEY = 0x8F00
_NOTHING = (access.NEVER,) * 3
_KEY_HEAD = 3
_INSTALL, _REPLACE = 0x00, 0x01
_SLOTS_MAX = 64
_NOT_COUNTED = 0xFF
_TRIES: dict[Use | None, int] = {Use.MASTER: 0x88, Use.PURCHASE: MAC2_TRIES * 0x11}
"""The counted keys: maximum and initial tries, a nibble each (README rule 13; cos 7.3)."""
_PROTECTED = 0x01
_VARIABLE_RECORDS = 254
_VARIABLE_RECORD_MAX = 255


def in_issue(domain: Domain) -> bool:
    """Whether the current directory is in its issuing phase."""
    here = domain.session.directory
    return here is not None and domain.store.byte(here.address + _LCS_AT) == _IN_ISSUE


def _require_issue(domain: Domain) -> None:
    if not in_issue(domain):
        raise Refusal(SW.CONDITIONS, "the directory has been issued", _REF)


@COMMANDS.command(0x00, 0x82, "EXTERNAL AUTHENTICATE", lc=None, ref="cos 4.7")
def external_authenticate(domain: Domain, command: Command) -> bytes:
    """Prove the master key of the current directory."""
    return authenticate(domain, command, 0)


# --- CREATE -----------------------------------------------------------------------------------


@COMMANDS.command(
    0x80, 0x8A, "CREATE MF", lc=(42,), survives=Survives.BLANK, ref="cos 2.1 column PSAM, 7.3"
)
def create_mf(domain: Domain, command: Command) -> bytes:
    """Create the MF of a blank card; it has all of the EEPROM's heap."""
    if domain.session.directory is not None:
        raise Refusal(SW.CONDITIONS, "the card has an MF", "cos 5.2")
    entry = _directory_entry(command.data)
    if entry.kind != FileKind.MF or entry.fid != _MF:
        raise Refusal(SW.WRONG_DATA, "the MF has type 10 and FID 3F00", _REF)
    assert domain.chip is not None
    request = _directory_request(entry, quota=domain.chip.unallocated())
    new_extent(domain, CM, request, DomainState.CREATED)
    return b""


@COMMANDS.command(0x80, 0x80, "CREATE FILE", lc=(8, 42), ref="cos 2.1 column PSAM, 7.3")
def create_file(domain: Domain, command: Command) -> bytes:
    """Create an EF (Lc 08), or in the MF a DF (Lc 2A). It is not selected by that."""
    here = domain.directory
    _require_issue(domain)
    if len(command.data) == 8:
        request = _file_request(command.data)
    else:
        entry = _directory_entry(command.data)
        if entry.kind != FileKind.DF or here.parent is not None:
            raise Refusal(SW.WRONG_DATA, "a DF has type 20 and stands in the MF", _REF)
        request = _directory_request(entry)
    if request.fid in _RESERVED_FIDS:
        raise Refusal(SW.WRONG_DATA, f"FID {request.fid:04X} is reserved", "cos 2.2")
    if here.child(request.fid) is not None or (request.kind == Kind.KEY and here.key_file):
        raise Refusal(SW.FID_EXISTS, f"FID {request.fid:04X} exists here", "cos 5.2")
    if request.name and domain.facts.name_exists(request.name):
        raise Refusal(SW.NAME_EXISTS, "a directory has this name", "cos 5.2")
    append_object(domain, here, request)
    return b""


def _directory_entry(data: bytes) -> DirectoryEntry:
    try:
        return DirectoryEntry.parse(data)
    except ValueError as error:
        raise Refusal(SW.WRONG_DATA, str(error), _REF) from None


def _directory_request(entry: DirectoryEntry, quota: int = 0) -> FileRequest:
    return FileRequest(
        kind=Kind.DIRECTORY,
        fid=entry.fid,
        access=_NOTHING * 2,
        name=entry.name,
        sfi=entry.dir_sfi,
        quota=quota,
        lcs=_IN_ISSUE,
    )


def _file_request(data: bytes) -> FileRequest:
    try:
        entry = FileEntry.parse(data)
    except ValueError as error:
        raise Refusal(SW.WRONG_DATA, str(error), _REF) from None
    write = _condition(entry.write)
    if entry.kind == FileKind.KEYS:
        slots = entry.size // KEY_SLOT_SIZE
        if not 1 <= slots <= _SLOTS_MAX:
            raise Refusal(SW.WRONG_DATA, f"a key file has 1 to {_SLOTS_MAX} slots", _REF)
        return FileRequest(
            kind=Kind.KEY,
            fid=entry.fid,
            access=(write, access.NEVER, access.NEVER, *_NOTHING),
            record_max=KEY_RECORD_SIZE,
            record_count=slots,
            capacity=slots * KEY_RECORD_SIZE,
        )
    low = entry.fid & 0x1F
    variable = entry.kind == FileKind.VARIABLE
    return FileRequest(
        kind=Kind.LINEAR_VARIABLE if variable else Kind.TRANSPARENT,
        fid=entry.fid,
        access=(_condition(entry.read), write, write, *_NOTHING),
        sfi=low if low < 0x1F else 0,
        record_max=min(entry.size, _VARIABLE_RECORD_MAX) if variable else 0,
        record_count=_VARIABLE_RECORDS if variable else 0,
        capacity=entry.size,
    )


def _condition(right: int) -> int:
    """Return the AC2 word of a right byte: 00 free, FF never, else the master key."""
    return {FREE: access.ALWAYS, NEVER: access.NEVER}.get(right, _OF_MASTER_KEY)


# --- WRITE KEY --------------------------------------------------------------------------------


@COMMANDS.command(
    0x84, 0xD4, "WRITE KEY", p1=(_INSTALL, _REPLACE), lc=None, ref="cos 7.2; order: cos 4.3"
)
def write_key(domain: Domain, command: Command) -> bytes:
    """Install (P1 = 00) or replace (P1 = 01) a key: LD || usage, version or id, algorithm || key.

    Enciphered and with a MAC under the master key of the directory; its own first one comes
    under the MF's, and that of the MF under the transport key.
    """
    here = domain.directory
    holder = here.key_file
    if holder is None:
        raise Refusal(SW.FILE_NOT_FOUND, "the current directory has no key EF", "cos 4.3")
    key = _record(received(domain, command))
    install = command.p1 == _INSTALL
    present = domain.keys.find(here, key.type, key.id)
    if not in_issue(domain):
        word = holder.header.access[0] if install or present is None else present.change
        domain.require(word, "writing a key", "cos 4.3")
    domain.store.write(_slot(domain, here, holder, key, present, install=install), key.build())
    domain.after_commit(domain.keys.forget)
    if key.type == KeyType.MASTER:
        domain.after_commit(domain.clear_rights)
        if here.parent is None and domain.state == DomainState.CREATED:
            hand_over(domain)
    return b""


def _slot(
    domain: Domain,
    here: FileNode,
    holder: FileNode,
    key: KeyRecord,
    present: KeyRecord | None,
    *,
    install: bool,
) -> int:
    """Return the address of the slot to write: space, then duplicate (cos 4.3)."""
    if not install:
        if present is None:
            raise Refusal(SW.DATA_NOT_FOUND, "there is no such key to replace", "cos 4.3")
        return present.address
    if key.type != KeyType.MASTER and not domain.keys.has_master(here):
        raise Refusal(SW.CONDITIONS, "the first key of a directory is its master key", "cos 4.3")
    slot = domain.keys.free_slot(holder)
    if slot is None:
        raise Refusal(SW.NO_SPACE, "every slot of the key EF is taken", "cos 4.3")
    if present is not None:
        raise Refusal(SW.FID_EXISTS, "such a key exists already", "cos 4.3")
    return slot


def _record(plain: bytes) -> KeyRecord:
    """Return the key record of a key head and value; 6A80 for what is not one.

    The usage byte stands in the record's type, the second byte in id and version; the master
    key, which no command names, has id 00.
    """
    head, value = plain[:_KEY_HEAD], plain[_KEY_HEAD:]
    why = _insane(head, value)
    if why:
        raise Refusal(SW.WRONG_DATA, why, _REF)
    usage, number, algorithm = head
    use = use_of(usage)
    master = use is Use.MASTER
    tries = _TRIES.get(use, _NOT_COUNTED)
    return KeyRecord(
        type=usage,
        id=0 if master else number,
        version=number,
        algorithm=algorithm,
        tries=tries,
        grant=15 if master else 0xFF,
        use=access.ALWAYS,
        change=_OF_MASTER_KEY,
        flags=_PROTECTED,
        value=value,
        kcv=kcv(algorithm, value),
        tries_left=_NOT_COUNTED if tries == _NOT_COUNTED else tries & 0x0F,
    )


def _insane(head: bytes, value: bytes) -> str:
    if len(head) < _KEY_HEAD:
        return "a key head is usage, version or id, algorithm"
    usage, _, algorithm = head
    use = use_of(usage)
    if use is None or levels(usage) > LEVELS_MAX:
        return f"usage {usage:02X} is not defined"
    if algorithm not in (Algorithm.TDES, Algorithm.DES, Algorithm.SM4):
        return f"algorithm {algorithm:02X} is not offered"
    if len(value) != Algorithm(algorithm).key_length:
        return f"a key of {len(value)} bytes does not fit its algorithm"
    if algorithm == Algorithm.DES and levels(usage):
        return "a single-DES key cannot be diversified"
    if use is Use.MASTER and levels(usage):
        return "a master key is not diversified"
    return ""


# --- END ISSUE --------------------------------------------------------------------------------


@COMMANDS.command(0x84, 0x1C, "END ISSUE", lc=(4,), ref="cos 2.1 column PSAM, 7.3")
def end_issue(domain: Domain, command: Command) -> bytes:
    """End the issuing phase of the current directory, with a MAC under its own master key.

    Refuses: 6985 issued already, no master key of its own, or a DF in it not issued yet.
    """
    here = domain.directory
    _require_issue(domain)
    master = domain.keys.find(here, KeyType.MASTER, 0)
    if master is None:
        raise Refusal(SW.CONDITIONS, "the directory has no master key of its own", _REF)
    for node in here.children:
        if node.is_directory and domain.store.byte(node.address + _LCS_AT) == _IN_ISSUE:
            raise Refusal(SW.CONDITIONS, f"{node.fid:04X} has not been issued", _REF)
    master_mac(domain, command, master)
    domain.store.write(here.address + _LCS_AT, bytes((_ISSUED,)))
    domain.after_commit(domain.reload_tree)
    return b""
