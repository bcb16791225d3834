"""The bodies of record files: linear fixed, linear variable and TLV, cyclic (cos 2.2, 2.5).

Functions over a store and a tree node; rights and addressing forms are the commands'
(`sscard.cos.basic`). Each loop is bounded by the body, whatever the bytes in it say.
"""

from typing import NamedTuple

from sscard.cos.objects import Kind
from sscard.cos.refusal import Refusal
from sscard.cos.store import Store
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW

__all__ = ["Slot", "add", "by_number", "by_tag"]

_REF = "cos 2.2"
_VARIABLE = (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV)
_PREFIX = 2
"""Bytes before the data in every record body: used bytes, or index and count."""


class Slot(NamedTuple):
    """Where a record lies: its address and length, without the L byte."""

    address: int
    length: int


def by_number(store: Store, node: FileNode, number: int) -> Slot | None:
    """Return record `number` (1-based; of a cyclic file 1 is the newest), or None."""
    if number < 1:
        return None
    if node.kind in _VARIABLE:
        slots = _variable_slots(store, node)
        return slots[number - 1] if number <= len(slots) else None
    length = node.header.record_max
    if _PREFIX + node.header.record_count * length > node.header.body_length:
        return None  # a damaged header: what it announces lies in other objects
    first, second = store.read(node.body, _PREFIX)
    if node.kind == Kind.LINEAR_FIXED:
        if number > min(first, node.header.record_count):
            return None
        index = number - 1
    else:
        if number > min(second, node.header.record_count):
            return None
        index = (first - (number - 1)) % node.header.record_count
    return Slot(node.body + _PREFIX + index * length, length)


def by_tag(store: Store, node: FileNode, tag: int) -> Slot | None:
    """Return the first record of a TLV file whose tag is `tag`, or None."""
    if not tag:
        return None
    for slot in _variable_slots(store, node):
        if slot.length and store.byte(slot.address) == tag:
            return slot
    return None


def add(store: Store, node: FileNode, data: bytes) -> None:
    """Put a new record into the transaction: at the end, or as the newest of a cyclic file.

    Refuses: 6700 a length the file does not take, 6A80 a record of a TLV file that is not one
    TLV, 6A84 no room. Source: cos 2.2, 5.3.
    """
    if node.kind in _VARIABLE:
        _add_variable(store, node, data)
    else:
        _add_fixed(store, node, data)


def _variable_slots(store: Store, node: FileNode) -> list[Slot]:
    """Return the records of a variable file in order of creation."""
    slots: list[Slot] | None = store.memo.get(node.address)
    if slots is None:
        slots = store.memo[node.address] = _parse_slots(store, node)
    return slots


def _parse_slots(store: Store, node: FileNode) -> list[Slot]:
    base = node.body
    body = store.read(base, node.header.body_length)
    used = min((body[0] << 8 | body[1]) + _PREFIX, len(body)) if len(body) >= _PREFIX else 0
    slots = []
    at = _PREFIX
    while at < used:
        length = body[at]
        at += 1
        if at + length > used:
            break
        slots.append(Slot(base + at, length))
        at += length
    return slots


def _add_variable(store: Store, node: FileNode, data: bytes) -> None:
    header = node.header
    if len(data) > header.record_max:
        raise Refusal(SW.WRONG_LENGTH, f"a record has at most {header.record_max} bytes", _REF)
    if node.kind == Kind.LINEAR_TLV and (len(data) < 2 or data[1] != len(data) - 2):
        raise Refusal(SW.WRONG_DATA, "a record of this file is one tag, length, value", _REF)
    slots = _variable_slots(store, node)
    used = sum(slot.length + 1 for slot in slots)
    after = used + 1 + len(data)
    if len(slots) >= header.record_count or after > header.capacity:
        raise Refusal(SW.NO_SPACE, "the file has no room for another record", _REF)
    store.write(node.body + _PREFIX + used, bytes((len(data),)) + data)
    store.write(node.body, after.to_bytes(_PREFIX, "big"))


def _add_fixed(store: Store, node: FileNode, data: bytes) -> None:
    header = node.header
    if len(data) != header.record_max:
        raise Refusal(SW.WRONG_LENGTH, f"a record has exactly {header.record_max} bytes", _REF)
    first, second = store.read(node.body, _PREFIX)
    if node.kind == Kind.LINEAR_FIXED:
        if first >= header.record_count:
            raise Refusal(SW.NO_SPACE, "every record of the file is in use", _REF)
        index, prefix = first, bytes((first + 1,))
    else:
        index = (first + 1) % header.record_count if second else 0
        prefix = bytes((index, min(second + 1, header.record_count)))
    store.write(node.body + _PREFIX + index * header.record_max, data)
    store.write(node.body, prefix)
