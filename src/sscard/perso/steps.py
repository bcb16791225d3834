"""The single steps of personalisation, each a generator of commands that wants their answers.

A step yields `Step`s and receives the response data of each, because a challenge of the card
goes into the command after it. Whoever drives them sends the bytes and checks the status word
(`perso.script`). Uses only what a terminal has: keys and the specification.
"""

from collections.abc import Generator, Iterator
from typing import NamedTuple

from sscard.iso.apdu import Command
from sscard.keys.block import engine
from sscard.keys.line import line_mac, wrap
from sscard.keys.session import cryptogram, direct_cryptogram, session_key, sm_mac
from sscard.perso.fcp import directory_fcp, file_fcp, key_file_fcp
from sscard.perso.model import Directory, File, Key, TransportKey
from sscard.spec.codes import KEY_FLAG_SESSION, SM_ENCIPHER
from sscard.spec.dgis import SECRETS

__all__ = [
    "Step",
    "Steps",
    "append_record",
    "authenticate",
    "create_directory",
    "create_file",
    "create_key_file",
    "end_personalisation",
    "fill_file",
    "protected",
    "select_file",
    "select_name",
    "store_data",
    "update_binary",
    "write_key",
]

CHUNK = 0x80
"""Bytes per UPDATE BINARY, as issuing scripts do (ssse-lb002 3.6)."""
_SELECT = 0xA4
_SECURE_CLA = 0x04
_SHORT_CHALLENGE = 4
_LONG_CHALLENGE = 8


class Step(NamedTuple):
    """One command with what it is for; `secret` when its data must not be shown."""

    name: str
    command: Command
    secret: bool = False

    @property
    def apdu(self) -> bytes:
        """The bytes to send."""
        return self.command.build()

    def __str__(self) -> str:
        head = self.command.header.hex().upper()
        data = self.command.data
        shown = data[:24].hex().upper() + (".." if len(data) > 24 else "")
        if self.secret:
            shown = f"<{len(data)} bytes>"
        return f"{self.name}: {head} {shown}".rstrip()

    def __repr__(self) -> str:
        return f"<Step {self}>"


Steps = Generator[Step, bytes, None]
"""Commands out, response data in."""


def select_name(name: str, df_name: bytes) -> Steps:
    """SELECT a directory by its name."""
    yield Step(f"select {name}", Command(0x00, 0xA4, 0x04, 0x00, df_name))


def select_file(file: File) -> Steps:
    """SELECT an EF of the current directory by FID."""
    fid = file.fid.to_bytes(2, "big")
    yield Step(f"select {file.name}", Command(0x00, 0xA4, 0x02, 0x00, fid))


def _challenge(length: int) -> Generator[Step, bytes, bytes]:
    return (yield Step("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=length)))


def authenticate(name: str, key: Key | TransportKey) -> Steps:
    """Prove a key: GET CHALLENGE, EXTERNAL AUTHENTICATE; a master key's id is 00.

    Source: cos 4.7; ssse-lb002 3.8.
    """
    identifier = key.id if isinstance(key, Key) else 0
    session = isinstance(key, Key) and bool(key.flags & KEY_FLAG_SESSION)
    block = engine(key.algorithm, key.value).block
    challenge = yield from _challenge(_LONG_CHALLENGE if session else block)
    if session:
        data = cryptogram(key.algorithm, key.value, challenge, challenge) + challenge
    else:
        data = direct_cryptogram(key.algorithm, key.value, challenge)
    yield Step(f"authenticate {name}", Command(0x00, 0x82, 0x00, identifier, data))


def create_directory(directory: Directory, *, is_ddf: bool = False) -> Steps:
    """CREATE FILE for the MF, a DDF or an ADF. Source: cos 5.2."""
    yield _create(directory.name, directory_fcp(directory, is_ddf=is_ddf))


def create_key_file(directory: Directory) -> Steps:
    """CREATE FILE for the key EF of the current directory. Source: cos 5.2."""
    yield _create(f"key file of {directory.name}", key_file_fcp(directory))


def create_file(file: File) -> Steps:
    """CREATE FILE for a working or internal EF. Source: cos 5.2."""
    yield _create(file.name, file_fcp(file))


def _create(name: str, fcp: bytes) -> Step:
    return Step(f"create {name}", Command(0x80, 0xE0, 0x00, 0x00, fcp))


def write_key(parent: Key | TransportKey, key: Key, *, replace: bool = False) -> Steps:
    """WRITE KEY: install a key, or replace it, under its parent's protection. Source: cos 4.3."""
    challenge = yield from _challenge(_SHORT_CHALLENGE)
    p1 = 0x01 if replace else 0x00
    data = wrap(parent.algorithm, parent.value, key.header + key.value)
    command = _protected(parent, Command(0x84, 0xD4, p1, 0x00, data), challenge)
    yield Step(f"write key {key.name}", command, secret=True)


def end_personalisation(name: str, master: Key) -> Steps:
    """END PERSONALISATION of the current DDF under its master key. Source: cos 5.1."""
    end = Command(0x84, 0x1C, 0x00, 0x00)
    yield from protected(f"end personalisation of {name}", master, end)


def protected(name: str, key: Key, command: Command, *, session: bool = False) -> Steps:
    """GET CHALLENGE, then a command with its MAC under `key`.

    `session`: under a session key, as an OPERATIONAL SSSE wants it (ssse-lb002 4.6, flavour A);
    else under the key itself (cos 6.1).
    """
    challenge = yield from _challenge(_LONG_CHALLENGE)
    yield Step(name, _protected(key, command, challenge, session=session))


def _protected(
    key: Key | TransportKey, command: Command, challenge: bytes, *, session: bool = False
) -> Command:
    """Append the 4-byte MAC of line protection, which Lc counts. Source: cos 6.1."""
    message = command.header + bytes((len(command.data) + 4,)) + command.data
    if session:
        mac = sm_mac(key.algorithm, session_key(key.algorithm, key.value, challenge), message)
    else:
        mac = line_mac(key.algorithm, key.value, challenge, message)
    return command._replace(data=command.data + mac)


def fill_file(file: File, stk: Key | None = None) -> Steps:
    """Bring a file's records and content into it, under the personalisation override.

    The override gives the right, not the form (cos 2.3): a file that wants protection takes
    its data with a MAC under `stk`, enciphered if it says so, in the form of cos 6.1.
    """
    if not file.sfi and (file.records or file.content):
        yield from select_file(file)
    for number, record in enumerate(file.records, start=1):
        yield from _line_protected(file, stk, append_record(file, record, number))
    yield from _line_protected(file, stk, update_binary(file, file.content))


def _line_protected(file: File, stk: Key | None, steps: Steps) -> Steps:
    """Put the line protection of a file around those of `steps` that write to it."""
    if not file.protected_update:
        yield from steps
        return
    assert stk is not None  # the profile checks it
    for step in steps:
        command = step.command
        if command.ins == _SELECT:
            yield step
            continue
        challenge = yield from _challenge(_LONG_CHALLENGE)
        command = command._replace(cla=command.cla | _SECURE_CLA)
        if file.sm_update & SM_ENCIPHER:
            command = command._replace(data=wrap(stk.algorithm, stk.value, command.data))
        yield step._replace(command=_protected(stk, command, challenge))


def append_record(file: File, record: bytes, number: int = 0) -> Steps:
    """APPEND RECORD to a file by its SFI, or to the current one. Source: ssse-lb002 3.5."""
    name = f"record {number} of {file.name}"
    yield Step(name, Command(0x00, 0xE2, 0x00, file.sfi << 3, record))


def update_binary(file: File, content: bytes) -> Steps:
    """UPDATE BINARY from offset 0, by SFI as far as its offsets reach. Source: ssse-lb002 3.6."""
    if len(content) > 0x100 and file.sfi:
        yield from select_file(file)
    for offset in range(0, len(content), CHUNK):
        part = content[offset : offset + CHUNK]
        by_sfi = file.sfi and len(content) <= 0x100
        p1 = 0x80 | file.sfi if by_sfi else offset >> 8
        name = f"bytes {offset} of {file.name}"
        yield Step(name, Command(0x00, 0xD6, p1, offset & 0xFF, part))


def store_data(name: str, dgis: tuple[tuple[int, bytes], ...]) -> Steps:
    """STORE DATA, plain: one DGI a block, longer ones continued, b8 of P1 on the last.

    Source: pse-pboc 9.2.
    """
    blocks = [(dgi, block) for dgi, value in dgis for block in _blocks(dgi, value)]
    for number, (dgi, block) in enumerate(blocks):
        p1 = 0x80 if number == len(blocks) - 1 else 0x00
        command = Command(0x80, 0xE2, p1, number & 0xFF, block)
        yield Step(f"store {dgi:04X} of {name}", command, secret=dgi in SECRETS)


def _blocks(dgi: int, value: bytes) -> Iterator[bytes]:
    size = len(value)
    length = bytes((size,)) if size < 0xFF else b"\xff" + size.to_bytes(2, "big")
    data = dgi.to_bytes(2, "big") + length + value
    for at in range(0, len(data), 0xFF):
        yield data[at : at + 0xFF]
