"""A PSAM profile as the APDU script that brings it onto a blank card (cos 2.1, 7.2, 7.3).

The order is that of issuing programs: MF, its key file and files, the application with its
own, the keys of both, then END ISSUE of the application and of the MF.
"""

from collections.abc import Generator, Iterator

from sscard.iso.apdu import Command
from sscard.iso.tlv import encode
from sscard.perso.psam import PsamProfile
from sscard.perso.psam_vault import (
    MASTER_NAMES,
    ByValue,
    HeldKey,
    Protection,
    PsamKey,
    protection_in,
)
from sscard.perso.steps import Step, Steps, select_name
from sscard.spec.psam import (
    APPLICATION_FID,
    APPLICATION_INFO_FID,
    APPLICATION_NAME,
    CARD_INFO_FID,
    COUNTER_SIZE,
    DIR_FID,
    KEY_FID,
    KEY_SLOT_SIZE,
    NEVER,
    TERMINAL_FID,
    DirectoryEntry,
    FileEntry,
    FileKind,
)

__all__ = ["end_issue", "psam_script", "write_psam_key"]

_MF = 0x3F00
_DIR_SIZE = 0x40
_DIR_LABEL = b"SSSE-SAM"
_MASTER_KEY = 0x02
"""A right that needs the directory's master key, as issuing programs write it."""
_CHALLENGE = 8


def psam_script(profile: PsamProfile) -> Steps:
    """Yield the steps that personalise a blank PSAM; send each one's response data back."""
    master, maintenance = profile.masters[0], profile.maintenance[0]
    card, application = (
        protection_in(profile.vault, name, key)
        for name, key in zip(MASTER_NAMES, profile.masters, strict=True)
    )
    yield from _create_directory(DirectoryEntry(_MF, FileKind.MF, profile.df_name, DIR_FID))
    yield from _create_key_file(2)
    yield from _create(FileEntry(DIR_FID, FileKind.VARIABLE, _DIR_SIZE, write=_MASTER_KEY))
    yield from _append_directory_entry()
    yield from _transparent(CARD_INFO_FID, profile.card_info, _MASTER_KEY)
    yield from _transparent(TERMINAL_FID, profile.terminal, NEVER)
    yield from write_psam_key(ByValue(profile.transport_key), master)
    yield from write_psam_key(card, maintenance)
    yield from _create_directory(DirectoryEntry(APPLICATION_FID, FileKind.DF, APPLICATION_NAME))
    yield from select_name("the application", APPLICATION_NAME)
    yield from _application(profile, card, application)
    yield from select_name("the MF", profile.df_name)
    yield from end_issue("the MF", card)


def _application(profile: PsamProfile, card: Protection, application: Protection) -> Steps:
    """DF01: its files, its master key under the MF's, its working keys under that."""
    yield from _create_key_file(2 + len(profile.keys))
    yield from _transparent(APPLICATION_INFO_FID, profile.application_info, _MASTER_KEY)
    number = profile.transaction_number.to_bytes(COUNTER_SIZE, "big")
    yield from _transparent(profile.counter_fid, number, NEVER)
    yield from write_psam_key(card, profile.masters[1])
    for key in (profile.maintenance[1], *profile.keys):
        yield from write_psam_key(application, key)
    yield from end_issue("the application", application)


# --- files --------------------------------------------------------------------------------------


def _create_directory(entry: DirectoryEntry) -> Iterator[Step]:
    ins = 0x8A if entry.kind == FileKind.MF else 0x80
    yield Step(f"create {entry.fid:04X}", Command(0x80, ins, 0x00, 0x00, entry.build()))


def _create(entry: FileEntry) -> Iterator[Step]:
    yield Step(f"create {entry.fid:04X}", Command(0x80, 0x80, 0x00, 0x00, entry.build()))


def _create_key_file(slots: int) -> Iterator[Step]:
    size = slots * KEY_SLOT_SIZE
    return _create(FileEntry(KEY_FID, FileKind.KEYS, size, read=NEVER, write=0x04))


def _transparent(fid: int, content: bytes, write: int) -> Iterator[Step]:
    """Create a transparent EF and fill it, by its SFI."""
    yield from _create(FileEntry(fid, FileKind.TRANSPARENT, len(content), write=write))
    sfi = fid & 0x1F
    yield Step(f"fill {fid:04X}", Command(0x00, 0xD6, 0x80 | sfi, 0x00, content))


def _append_directory_entry() -> Iterator[Step]:
    """Name the application in the DIR: 61 {4F AID, 50 label}."""
    entry = encode(0x61, encode(0x4F, APPLICATION_NAME) + encode(0x50, _DIR_LABEL))
    yield Step("fill 0001", Command(0x00, 0xE2, 0x00, DIR_FID << 3, entry))


# --- keys ---------------------------------------------------------------------------------------


def write_psam_key(parent: Protection, key: PsamKey | HeldKey, *, replace: bool = False) -> Steps:
    """WRITE KEY under its parent's protection. Source: cos 7.2."""
    challenge = yield from _challenge(parent)
    command = Command(0x84, 0xD4, int(replace), 0x00, parent.wrapped(key))
    yield Step(f"write {key.name}", _with_mac(parent, challenge, command), secret=True)


def end_issue(name: str, master: Protection) -> Steps:
    """END ISSUE of the current directory. Source: cos 7.3."""
    challenge = yield from _challenge(master)
    command = Command(0x84, 0x1C, 0x00, 0x00)
    yield Step(f"end the issue of {name}", _with_mac(master, challenge, command))


def _challenge(key: Protection) -> Generator[Step, bytes, bytes]:
    length = min(_CHALLENGE, key.block)
    return (yield Step("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=length)))


def _with_mac(key: Protection, challenge: bytes, command: Command) -> Command:
    """Put the line protection MAC behind the data (cos 6.1)."""
    head = bytes((*command[:4], len(command.data) + 4))
    mac = key.mac(challenge, head + command.data)
    return command._replace(data=command.data + mac)
