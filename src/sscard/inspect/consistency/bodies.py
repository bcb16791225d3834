"""The bodies of files: directory states, used counts, record chains, key slots (cos 2.5)."""

from sscard.cos import access
from sscard.cos.keyfile import check_value, cipher_check_value, cipher_key_fits, value_fits
from sscard.cos.layout import Block
from sscard.cos.objects import DELETED, KEY_RECORD_SIZE, LIVE, KeyRecord, KeyType, Kind
from sscard.inspect.consistency.chain import Node
from sscard.inspect.finding import Report
from sscard.spec.psam import LEVELS_MAX, Use, levels, use_of

__all__ = ["check_body", "check_keys"]

_BLANK_SLOT = b"\xff" * KEY_RECORD_SIZE
_NO_KCV = b"\xff\xff\xff"
_TYPES = frozenset(KeyType.__members__.values())
_PINS = (KeyType.PIN, KeyType.PUK)
_VERSIONED = frozenset(
    (KeyType.DLK, KeyType.DPK, KeyType.DTK, KeyType.EXTERNAL_AUTH, KeyType.INTERNAL_AUTH)
)
_LEAST: dict[int, int] = {
    Kind.DIRECTORY: 8,
    Kind.LINEAR_FIXED: 2,
    Kind.CYCLIC: 2,
    Kind.LINEAR_VARIABLE: 2,
    Kind.LINEAR_TLV: 2,
}
"""Bytes a body needs before it can be looked into."""
_BODIES = "cos 2.5, bodies"
_SLOTS = "cos 2.5 KEYREC"


def check_body(memory: bytes, node: Node, report: Report) -> None:
    """Check the body of an intact object; key EFs are `check_keys`'s."""
    header = node.header
    body = memory[node.body : node.body + header.body_length]
    if len(body) < _LEAST.get(header.kind, 0):
        faults = ["the body is too short for its kind"]
    elif header.kind == Kind.DIRECTORY:
        faults = _directory_faults(body, header.name_length)
    elif header.kind == Kind.LINEAR_FIXED:
        full = body[0] > header.record_count
        faults = ["more records are used than there are"] if full else []
    elif header.kind == Kind.CYCLIC:
        faults = _cyclic_faults(body, header.record_count)
    elif header.kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV):
        faults = _variable_faults(node, body)
    else:
        faults = []
    for what in faults:
        report.error(node.where, what, node.body, _BODIES)


def _directory_faults(body: bytes, name_length: int) -> list[str]:
    faults = []
    if body[0] not in Block.__members__.values():
        faults.append(f"block state {body[0]:02X} is unknown")
    if body[1] > 3 or body[2] > 3:
        faults.append("a failure counter exceeds 3")
    if any(byte != 0xFF for byte in body[3:8] + body[8 + name_length :]):
        faults.append("reserved bytes of the directory's state or name are not FF")
    return faults


def _cyclic_faults(body: bytes, records: int) -> list[str]:
    newest, held = body[0], body[1]
    if newest >= records or held > records:
        return [f"newest slot {newest} and count {held} of a file of {records} records"]
    return []


def _variable_faults(node: Node, body: bytes) -> list[str]:
    header = node.header
    used, at, count = int.from_bytes(body[:2], "big"), 2, 0
    if used > min(header.capacity, len(body) - 2):
        return [f"{used} bytes are used of {header.capacity}"]
    faults: list[str] = []
    while at < used + 2:
        length = body[at]
        data = body[at + 1 : at + 1 + length]
        at += 1 + length
        count += 1
        if at > used + 2:
            faults.append(f"record {count} reaches beyond the used bytes")
        elif length > header.record_max:
            faults.append(f"record {count} is longer than {header.record_max} bytes")
        elif header.kind == Kind.LINEAR_TLV and (length < 2 or data[1] != length - 2):
            faults.append(f"record {count} is not one tag, length, value")
    if count > header.record_count:
        faults.append(f"{count} records in a file of {header.record_count}")
    return faults


def check_keys(memory: bytes, node: Node, report: Report, *, psam: bool = False) -> list[KeyRecord]:
    """Check the slots of a key EF; return its live, intact keys.

    In a `psam` the type of a key is its usage byte (cos 7.2).
    """
    keys: list[KeyRecord] = []
    seen: set[tuple[int, int, int | None]] = set()
    for number in range(node.header.body_length // KEY_RECORD_SIZE):
        address = node.body + number * KEY_RECORD_SIZE
        raw = memory[address : address + KEY_RECORD_SIZE]
        if raw == _BLANK_SLOT:
            continue
        key = KeyRecord.parse(raw, address)
        where = f"{node.where} slot {number}"
        if key.state not in (LIVE, DELETED):
            report.error(where, f"unknown state {key.state:02X}", address, _SLOTS)
        if not key.intact:
            report.error(where, "the CRC of the key record is wrong", address, _SLOTS)
        elif key.state == LIVE:
            for what in _key_faults(key, raw, psam=psam):
                report.error(where, what, address, _SLOTS)
            name = (key.type, key.id, key.version if key.type in _VERSIONED else None)
            if name in seen:
                report.error(where, "the same key stands twice here", address, "cos 4.3")
            seen.add(name)
            keys.append(key)
    return keys


def _key_faults(key: KeyRecord, raw: bytes, *, psam: bool) -> list[str]:
    faults = _usage_faults(key) if psam else _value_faults(key)
    filler = raw[14:16] + raw[16 + len(key.value) : 32] + raw[35:36]
    if filler.strip(b"\xff"):
        faults.append("reserved bytes or filler are not FF")
    if not access.valid(key.use) or not access.valid(key.change):
        faults.append("an undefined access condition")
    if key.grant > 0x0F and key.grant != 0xFF:
        faults.append(f"grant {key.grant:02X} is undefined")
    if key.counted:
        if not 1 <= key.tries & 0x0F <= key.tries_max:
            faults.append(f"try limit {key.tries:02X} is undefined")
        if key.tries_left > key.tries_max:
            faults.append(f"{key.tries_left} tries left of {key.tries_max}")
    elif key.tries_left != 0xFF:
        faults.append("a key without a counter counts tries")
    return faults


def _value_faults(key: KeyRecord) -> list[str]:
    """What is wrong with type, id, value and check value."""
    if key.type not in _TYPES:
        return [f"unknown key type {key.type:02X}"]
    if key.type in _PINS:
        shape = [] if 2 <= len(key.value) <= 8 else ["a PIN has 2 to 8 bytes"]
        return shape + ([] if key.kcv == _NO_KCV else ["a PIN shows a check value"])
    if not value_fits(key.type, key.algorithm, len(key.value)):
        return ["the length does not fit type and algorithm"]
    faults = []
    if key.kcv != check_value(key.type, key.algorithm, key.value):
        faults.append("the check value is not that of the key")
    if key.type == KeyType.MASTER and (key.id, key.grant) != (0, 15):
        faults.append("a master key has id 00 and grant 0F")
    if key.type == KeyType.EXTERNAL_AUTH and not key.id:
        faults.append("id 00 is the master key's")
    return faults


def _usage_faults(key: KeyRecord) -> list[str]:
    """What is wrong with usage byte, value and check value of a PSAM's key."""
    use = use_of(key.type)
    if use is None or levels(key.type) > LEVELS_MAX:
        return [f"unknown usage {key.type:02X}"]
    if not cipher_key_fits(key.algorithm, len(key.value)):
        return ["the length does not fit the algorithm"]
    faults = []
    if key.kcv != cipher_check_value(key.algorithm, key.value):
        faults.append("the check value is not that of the key")
    if (use is Use.MASTER) != (key.grant == 15) or (use is Use.MASTER and key.id):
        faults.append("a master key, and no other, has id 00 and grant 0F")
    return faults
