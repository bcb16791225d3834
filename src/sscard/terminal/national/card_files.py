"""iReadCard and iWriteCard: files by address, results in the shape of the address (ssse-lb002 8).

What is proved for a file follows from its rule and from iAuthType: the PIN or the key where
either will do, both where both are wanted.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple

from sscard.iso.sw import SW
from sscard.spec.items import Item
from sscard.spec.ssse import Directory, Ef
from sscard.terminal import files
from sscard.terminal.errors import TerminalError
from sscard.terminal.national.addresses import FileAddress, parse_addresses, parse_data
from sscard.terminal.national.codes import Code, code_of_sw
from sscard.terminal.national.failures import NationalError
from sscard.terminal.national.session import Session
from sscard.terminal.national.texts import text_of, value_of
from sscard.terminal.records import Value
from sscard.terminal.rights import Proofs, alternatives
from sscard.terminal.visit import directory_name

__all__ = ["AuthType", "Target", "Update", "read_all", "targets", "updates", "way", "write_all"]


class AuthType(IntEnum):
    """iAuthType: how to fulfil a rule that leaves a choice."""

    PIN = 1
    KEY = 2


class Target(NamedTuple):
    """A file address and the file it means on this card."""

    address: FileAddress
    directory: Directory
    file: Ef

    @property
    def place(self) -> str:
        """The directory by its name, "DF01"."""
        return directory_name(self.directory)


class Update(NamedTuple):
    """What is to be written to a file: items by tag and number, a row, or bytes."""

    target: Target
    items: Mapping[int | tuple[int, int], Value]
    row: tuple[Value, ...] = ()


def targets(session: Session, file_addr: str) -> tuple[Target, ...]:
    """Return the files that addresses mean on this card.

    Errors: `NationalError` -14 for what is no address, the status words 6A82 and 6A83 for a
    file or an item that this generation does not have.
    """
    try:
        addresses = parse_addresses(file_addr)
    except ValueError as error:
        raise NationalError(Code.ARGUMENT, str(error)) from error
    return tuple(_target(session, address) for address in addresses)


def way(rule: str, auth: AuthType) -> Proofs:
    """Return what is proved for a rule: the way iAuthType asks for, or the only one there is.

    Errors: `NationalError` with 6982 when nobody can fulfil it.
    """
    ways = alternatives(rule)
    if not ways:
        raise NationalError(code_of_sw(SW.SECURITY_STATUS))
    fitting = [way for way in ways if way.pin is (auth is AuthType.PIN)]
    return (fitting or ways)[0]


def read_all(session: Session, found: tuple[Target, ...], prove: Callable[[Target], None]) -> str:
    """Read files in order; `prove` proves what the next one asks for.

    The result repeats each address, with the values of its items behind it.
    """
    parts = []
    for target in found:
        session.visit.enter(target.place)
        prove(target)
        contents = files.read(session.visit, target.address.name)
        values = _values(target, contents)
        parts.append("".join(f"{text}|" for text in (target.address.text, *values)) + "$")
    return "".join(parts)


def updates(found: tuple[Target, ...], write_data: str) -> tuple[Update, ...]:
    """Return what write data mean for the files of an address; nothing is sent yet.

    Errors: `NationalError` -14 for what is no data, -23 when they do not fit the address, or a
    value not its item.
    """
    try:
        data = parse_data(write_data)
    except ValueError as error:
        raise NationalError(Code.ARGUMENT, str(error)) from error
    if [address for address, _ in data] != [target.address.text for target in found]:
        raise NationalError(Code.INPUT_ILLEGAL, "the data name other files than the address")
    try:
        return tuple(
            _update(target, values) for target, (_, values) in zip(found, data, strict=True)
        )
    except ValueError as error:
        raise NationalError(Code.INPUT_ILLEGAL, str(error)) from error


def write_all(
    session: Session, wanted: tuple[Update, ...], prove: Callable[[Target], None]
) -> None:
    """Write files in order. A refusal leaves the files before it written."""
    for update in wanted:
        target = update.target
        session.visit.enter(target.place)
        prove(target)
        name, protection = target.address.name, session.equipment.protection
        if target.file.kind == "cyclic":
            files.write_row(session.visit, name, update.row, protection=protection)
        else:
            files.write(session.visit, name, update.items, protection=protection)


# ---- reading --------------------------------------------------------------------------------


def _target(session: Session, address: FileAddress) -> Target:
    try:
        directory, file = files.file_named(session.visit.table, address.name)
    except TerminalError as error:
        raise NationalError(code_of_sw(SW.FILE_NOT_FOUND), address.name) from error
    if file.kind == "internal":
        raise NationalError(code_of_sw(SW.FILE_NOT_FOUND), address.name)
    if file.kind == "tlv":
        for tag, nth in address.items:
            if nth not in range(1, sum(item.tag == tag for item in file.items) + 1):
                raise NationalError(code_of_sw(SW.RECORD_NOT_FOUND), f"{tag:02X}:{nth:02}")
        if not address.items:
            raise NationalError(Code.ARGUMENT, f"{address.name} is read item by item")
    return Target(address, directory, file)


def _values(target: Target, contents: files.Contents) -> tuple[str, ...]:
    if target.file.kind == "transparent":
        return (contents.data.hex().upper(),)
    try:
        if target.file.kind == "cyclic":
            row = contents.rows[target.address.record - 1]
            return tuple(text_of(field.value) for field in row)
        return tuple(text_of(contents.value(*item)) for item in target.address.items)
    except (IndexError, KeyError) as error:
        raise NationalError(code_of_sw(SW.RECORD_NOT_FOUND), target.address.text) from error


# ---- writing --------------------------------------------------------------------------------


def _update(target: Target, texts: tuple[str, ...]) -> Update:
    """Return the update that texts mean. Errors: ValueError."""
    file, address = target.file, target.address
    if file.kind == "transparent":
        data = bytes.fromhex("".join(texts))
        if len(texts) != 1 or not 0 < len(data) <= file.size:
            raise ValueError(f"{address.text} takes 1 to {file.size} bytes in hex")
        return Update(target, {0: data})
    if file.kind == "cyclic":
        if address.record != 1 or len(texts) != len(file.items):
            raise ValueError(f"{address.text} takes {len(file.items)} fields, as its newest record")
        pairs = zip(file.items, texts, strict=True)
        return Update(target, {}, tuple(value_of(item, text) for item, text in pairs))
    if len(texts) != len(address.items):
        raise ValueError(f"{address.text} has {len(address.items)} items, not {len(texts)}")
    return Update(
        target,
        {
            (tag, nth): value_of(_item_of(file, tag), text)
            for (tag, nth), text in zip(address.items, texts, strict=True)
        },
    )


def _item_of(file: Ef, tag: int) -> Item:
    return next(item for item in file.items if item.tag == tag)
