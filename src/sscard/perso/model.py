"""What a profile says about a card, as values: chip, keys, files, directories.

Everything is resolved: access conditions are AC2 words, key values are those of this card,
records are bytes. Keys and contents do not show in a repr. Frozen; made by `perso.parse`,
read by the personalisation script and by the builder.
"""

from dataclasses import dataclass, field

from sscard.keys.cps import ChannelKeys
from sscard.spec.codes import (
    ACCESS_FREE,
    ALGORITHMS,
    KEY_FLAG_PROTECTED,
    KEY_RECORD_SIZE,
    KEY_TYPES,
    KINDS,
    SM_ENCIPHER,
    SM_MAC,
)

__all__ = ["Channel", "Chip", "Directory", "File", "Key", "TransportKey"]

HEADER_SIZE = 48
DIRECTORY_BODY_SIZE = 24
_CHANGED_BY_MASTER = 0x8F00


def _object_size(body: int) -> int:
    """Bytes an object takes in an extent: header and body, up to the next multiple of 8."""
    return (HEADER_SIZE + body + 7) & ~7


@dataclass(frozen=True, slots=True)
class Chip:
    """The chip as the maker delivers it (cos 2.5: superblock and CH page).

    Shapes: `size` bytes of EEPROM; `uuid` 16 bytes; `serial` 8; `fab_date` 4, BCD; `cos_id` 3.
    """

    size: int
    uuid: bytes
    generation: int
    test: bool
    plain_keys: bool
    ic_id: int
    ic_type: int
    serial: bytes
    fab_date: bytes
    cos_id: bytes


@dataclass(frozen=True, slots=True)
class TransportKey:
    """TK of the blank card; `tries` 1..15 (cos 2.5, CS page)."""

    algorithm: int
    tries: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """One key or PIN: the fields of the 12-byte key header (cos 4.4) and its value on this card.

    `tries` is the header byte (high nibble maximum, low nibble initial, FF unlimited); `use`
    and `change` are AC2 words; a PIN's value is the bytes as VERIFY sends them.
    """

    name: str
    type: int
    id: int
    version: int
    algorithm: int
    tries: int
    grant: int
    use: int
    change: int
    flags: int
    value: bytes = field(repr=False)

    @property
    def header(self) -> bytes:
        """The 12-byte key header. Source: cos 4.4."""
        head = (self.type, self.id, self.version, self.algorithm, self.tries, self.grant)
        access = self.use.to_bytes(2, "big") + self.change.to_bytes(2, "big")
        return bytes(head) + access + bytes((self.flags, len(self.value)))


@dataclass(frozen=True, slots=True)
class Channel:
    """What opens the secure channel of personalisation (pse-pboc 9.1).

    Shapes: `version` of the KMC, 01..FF; `identifier` of it, 6 bytes; `serial` the last 4
    historical bytes; `level` 00, 01 or 03; `card_keys` KENC, KMAC, KDEK of this card.
    """

    version: int
    identifier: bytes
    serial: bytes
    level: int
    card_keys: ChannelKeys

    @property
    def key_data(self) -> bytes:
        """KEYDATA, 10 bytes."""
        return self.identifier + self.serial

    @property
    def keys(self) -> tuple[Key, ...]:
        """The key records of types 13 to 16, as WRITE KEY loads them."""
        values = (*self.card_keys, self.identifier + b"\xff\xff")
        words = ("kenc", "kmac", "kdek", "kmc_data")
        return tuple(self._key(word, value) for word, value in zip(words, values, strict=True))

    def _key(self, word: str, value: bytes) -> Key:
        return Key(
            name=word.upper(),
            type=KEY_TYPES[word],
            id=self.version,
            version=1,
            algorithm=ALGORITHMS["3des"],
            tries=0xFF,
            grant=0xFF,
            use=ACCESS_FREE,
            change=_CHANGED_BY_MASTER,
            flags=KEY_FLAG_PROTECTED,
            value=value,
        )


@dataclass(frozen=True, slots=True)
class File:
    """A working or internal EF and what personalisation puts into it.

    `kind` as in cos 2.2. `sfi` 0: none. `capacity` counts bytes of data (TLV and variable
    records with their L byte); `record_max` and `record_count` are 0 for transparent kinds.
    `records` are appended in order; `content` fills a transparent file from offset 0.
    """

    name: str
    fid: int
    kind: int
    sfi: int
    read: int
    update: int
    append: int
    sm_read: int
    sm_update: int
    capacity: int
    record_max: int = 0
    record_count: int = 0
    records: tuple[bytes, ...] = field(default=(), repr=False)
    content: bytes = field(default=b"", repr=False)

    @property
    def fixed_length(self) -> bool:
        """Whether all records have one length: linear fixed and cyclic files."""
        return self.kind in (KINDS["fixed"], KINDS["cyclic"])

    @property
    def protected_update(self) -> bool:
        """Whether writing to the file wants line protection (cos 2.3, sm byte)."""
        return bool(self.sm_update & (SM_MAC | SM_ENCIPHER))

    @property
    def body_size(self) -> int:
        """Length of the object's body: record kinds keep two bytes of state (cos 2.5)."""
        return self.capacity + (2 if self.record_max else 0)

    @property
    def size(self) -> int:
        """Bytes the file takes in its extent, header and alignment included."""
        return _object_size(self.body_size)


@dataclass(frozen=True, slots=True)
class Directory:
    """The MF, a DDF or an ADF, with its keys, files and the directories below it.

    `master` is the key that owns it in the end, `transport` the value it is first given (EMK
    v1), None when there is no update in between. `key_slots` 0: no key EF. `quota` counts
    descendants of an ADF, the whole extent of a DDF. `dir_sfi` is what a DDF's FCI says of its
    DIR, 0 for the default of 01. `dgis` go in by STORE DATA, in order; `channel`, of a DDF, for
    those that go in through the secure channel.
    """

    name: str
    fid: int
    df_name: bytes
    domain: int
    suite: int
    quota: int
    dir_sfi: int
    create: int
    delete: int
    admin: int
    key_add: int
    key_slots: int
    transport: Key | None
    master: Key | None
    keys: tuple[Key, ...]
    pin: Key | None
    files: tuple[File, ...]
    dgis: tuple[tuple[int, bytes], ...] = field(repr=False)
    directories: tuple["Directory", ...]
    channel: Channel | None = None

    @property
    def key_count(self) -> int:
        """Key records in use: master key, keys, PIN."""
        return (self.master is not None) + len(self.keys) + (self.pin is not None)

    @property
    def key_file_size(self) -> int:
        """Bytes the key EF takes, 0 without one."""
        return _object_size(self.key_slots * KEY_RECORD_SIZE) if self.key_slots else 0

    @property
    def own_size(self) -> int:
        """Bytes of the directory object, its key EF and its files, not of directories below."""
        files = sum(file.size for file in self.files)
        return _object_size(DIRECTORY_BODY_SIZE) + self.key_file_size + files

    @property
    def contents_size(self) -> int:
        """Bytes of all descendants: what an ADF's quota limits (cos 2.4)."""
        below = sum(_object_size(DIRECTORY_BODY_SIZE) + d.contents_size for d in self.directories)
        return self.own_size - _object_size(DIRECTORY_BODY_SIZE) + below

    def line_key(self, sm: int) -> Key | None:
        """The line protection key here whose id ends in the nibble of an sm byte (cos 2.3)."""
        held = (key for key in self.keys if key.type == KEY_TYPES["stk"])
        return next((key for key in held if key.id & 0x0F == sm & 0x0F), None)

    def key(self, type_: int, id_: int) -> Key | None:
        """The key of a type and id in this directory, the lowest version first; or None."""
        held = [key for key in self.keys if (key.type, key.id) == (type_, id_)]
        return min(held, key=lambda key: key.version, default=None)
