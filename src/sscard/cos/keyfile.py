"""Key EFs: finding keys and counting their tries (cos 2.3 F8, 2.5 KEYREC, 4.4).

A `KeyRing` reads the key files of one extent through a domain's window. Headers and values
are parsed once per key file and kept with the extent; try counters are always read live.
"""

from sscard.cos.layout import PAGE_SIZE, CardState, LayoutError, TransportKeyState
from sscard.cos.objects import KEY_RECORD_SIZE, LIVE, KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.store import Store
from sscard.cos.tree import FileNode
from sscard.cos.volume import Extent
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.keys.diversify import kcv

__all__ = ["KeyRing", "check_value", "cipher_check_value", "cipher_key_fits", "value_fits"]

_TRIES_OFFSET = 13
_TRANSPORT = -1
"""The address of the transport key: it lives in the card-state page, not in a key slot."""
_LENGTHS: dict[int, int] = {algorithm: algorithm.key_length for algorithm in Algorithm}
_PIN_TYPES = (KeyType.PIN, KeyType.PUK)
_NOT_CIPHER_KEYS = (*_PIN_TYPES, KeyType.KMC_DATA)
_NO_CHECK_VALUE = b"\xff\xff\xff"


def value_fits(kind: int, algorithm: int, length: int) -> bool:
    """Whether a key of this type and algorithm can have a value of `length` bytes (cos 4.4)."""
    if kind in _PIN_TYPES:
        return 2 <= length <= 8
    if kind == KeyType.KMC_DATA:
        return length == 8
    return cipher_key_fits(algorithm, length)


def cipher_key_fits(algorithm: int, length: int) -> bool:
    """Whether a key of this algorithm has `length` bytes; no key of an unknown one has."""
    return _LENGTHS.get(algorithm) == length


def check_value(kind: int, algorithm: int, value: bytes) -> bytes:
    """Return the KCV a key record stores: FF FF FF where there is none (cos 2.5 KEYREC, 4.6).

    A PIN's would give the PIN away, KMC data are no key, and nobody can compute SSF33.
    """
    return _NO_CHECK_VALUE if kind in _NOT_CIPHER_KEYS else cipher_check_value(algorithm, value)


def cipher_check_value(algorithm: int, value: bytes) -> bytes:
    """Return the KCV of a cipher key, FF FF FF for SSF33 (cos 4.6)."""
    return _NO_CHECK_VALUE if algorithm == Algorithm.SSF33 else kcv(algorithm, value)


class KeyRing:
    """The keys of one extent, read and counted through a store.

    `card_page` is the page of the card state, for the card manager alone: the transport key
    of a blank card lives there.
    """

    __slots__ = ("_card_page", "_extent", "_store")

    def __init__(self, store: Store, extent: Extent, card_page: int | None = None) -> None:
        self._store = store
        self._extent = extent
        self._card_page = card_page

    def records(self, directory: FileNode) -> tuple[KeyRecord, ...]:
        """Return the live, intact keys of a directory in slot order.

        A record whose value does not fit its header is damaged too: no command wrote it.
        """
        holder = directory.key_file
        if holder is None:
            return ()
        known = self._extent.keys.get(holder.address)
        if known is None:
            slots = (
                KeyRecord.parse(raw, address)
                for address, raw in self.slots(holder)
                if raw[0] == LIVE
            )
            known = self._extent.keys[holder.address] = tuple(
                key for key in slots if key.intact and _usable(key)
            )
        return known

    def slots(self, holder: FileNode) -> list[tuple[int, bytes]]:
        """Return every slot of a key EF as it stands, live or not: address and 40 bytes."""
        body = self._store.read(holder.body, holder.header.body_length)
        return [
            (holder.body + at, body[at : at + KEY_RECORD_SIZE])
            for at in range(0, len(body) - KEY_RECORD_SIZE + 1, KEY_RECORD_SIZE)
        ]

    def free_slot(self, holder: FileNode) -> int | None:
        """Return the address of the lowest slot that is not live."""
        return next((address for address, raw in self.slots(holder) if raw[0] != LIVE), None)

    def find(
        self, directory: FileNode, kind: int, identifier: int, version: int | None = None
    ) -> KeyRecord | None:
        """Return the key of the lowest slot that matches, in this directory only."""
        for key in self.records(directory):
            if (
                key.id == identifier
                and key.type == kind
                and (version is None or key.version == version)
            ):
                return key
        return None

    def climb(
        self, directory: FileNode | None, kind: int, identifier: int, version: int | None = None
    ) -> tuple[KeyRecord, FileNode] | None:
        """Return the key and its directory: the current one first, then the DDF (F8)."""
        while directory is not None:
            key = self.find(directory, kind, identifier, version)
            if key is not None:
                return key, directory
            directory = directory.parent
        return None

    def has_master(self, directory: FileNode) -> bool:
        """Whether a directory has a master key of its own."""
        return self.find(directory, KeyType.MASTER, 0) is not None

    def forget(self) -> None:
        """Drop what was parsed: a key slot was written."""
        self._extent.keys = {}

    def tries_left(self, key: KeyRecord) -> int:
        """Return the tries left of a key, read live; never more than its maximum."""
        if key.address == _TRANSPORT:
            return min(self._card_state().tk_left, key.tries_max)
        left = self._store.byte(key.address + _TRIES_OFFSET)
        return min(left, key.tries_max) if key.counted else left

    def write_tries(self, key: KeyRecord, tries: int) -> None:
        """Put a try counter into the transaction."""
        if key.address == _TRANSPORT:
            self.write_card_state(tk_left=tries)
        else:
            self._store.write(key.address + _TRIES_OFFSET, bytes((tries,)))

    def root_master(self) -> KeyRecord | None:
        """Return the master key of the extent's root directory."""
        root = self._extent.tree.root
        return None if root is None else self.find(root, KeyType.MASTER, 0)

    def transport_key(self) -> KeyRecord | None:
        """Return the transport key as a master key, while it exists (cos 2.5, CS)."""
        if self._card_page is None:
            return None
        try:
            state = self._card_state()
        except LayoutError:
            return None
        if state.tk_state != TransportKeyState.PRESENT:
            return None
        if not value_fits(KeyType.MASTER, state.tk_algorithm, len(state.tk)):
            return None
        return KeyRecord(
            type=KeyType.MASTER,
            id=0,
            version=0,
            algorithm=state.tk_algorithm,
            tries=min(state.tk_max, 15) << 4,  # a limit in its own page: never FF, unlimited
            grant=15,
            use=0,
            change=0xFFFF,
            flags=1,
            value=state.tk,
            tries_left=state.tk_left,
            address=_TRANSPORT,
        )

    def write_card_state(self, **changes: object) -> None:
        """Put changed fields of the card-state page into the transaction; 6581 if damaged."""
        try:
            state = self._card_state()
        except LayoutError as error:
            raise Refusal(SW.MEMORY_FAILURE, str(error), "cos 2.5 CS") from None
        page = state._replace(**changes).build()  # type: ignore[arg-type]
        self._store.write(self._card_address(), page)

    def _card_state(self) -> CardState:
        return CardState.parse(self._store.read(self._card_address(), PAGE_SIZE))

    def _card_address(self) -> int:
        if self._card_page is None:
            raise AssertionError("only the card manager reaches the card-state page")
        return self._card_page * PAGE_SIZE


def _usable(key: KeyRecord) -> bool:
    """Whether no cipher can choke on the value; in a PSAM the type is the usage of a cipher key."""
    return key.type in _NOT_CIPHER_KEYS or value_fits(key.type, key.algorithm, len(key.value))
