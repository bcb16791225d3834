"""The builder: a profile's finished image, put together without sending a command.

Byte for byte what `personalise` leaves on a blank card of the same profile, but for the ring,
which no command has ever used here (cos 4.5 compares images with the ring taken as FF). It
shares the parsers and layouts of the COS, not its commands, so the two check each other.
"""

from collections.abc import Iterator

from sscard.apps.pse import stored_files
from sscard.cos import fcp
from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.format import ChipSpec, format_image
from sscard.cos.keyfile import check_value
from sscard.cos.layout import (
    AtrProfile,
    CardLifeCycle,
    CardState,
    DomainHeader,
    DomainState,
    ExtentEntry,
    ExtentTable,
    TransportKeyState,
)
from sscard.cos.objects import HEADER_SIZE, KeyRecord, Kind, align
from sscard.cos.tree import FIRST_OBJECT
from sscard.errors import ProfileError
from sscard.perso.fcp import directory_fcp, file_fcp, key_file_fcp
from sscard.perso.model import Directory, File, Key
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile

__all__ = ["build", "chip_of"]


def build(profile: Profile) -> bytes:
    """Return the image of a finished card. Raises ProfileError when it does not fit the chip."""
    chip = chip_of(profile)
    block = chip.superblock()
    image = bytearray(format_image(chip))
    entries: list[ExtentEntry] = []
    start = block.heap_start
    for directory in (profile.cm, *profile.environments):
        pages = -(-directory.quota // PAGE_SIZE)
        if start + pages > block.heap_start + block.heap_pages:
            raise ProfileError(f"{profile.name}: the chip has no room for {directory.name}")
        entry = ExtentEntry(directory.domain, start, pages, directory.fid)
        _Extent(image, entry).build(directory)
        entries.append(entry)
        start += pages
    _put(image, block.extent_page, ExtentTable(tuple(entries)).build())
    handed_over = len(profile.environments) == 2
    state = CardState(
        CardLifeCycle.HANDED_OVER if handed_over else CardLifeCycle.INITIALISED,
        len(profile.environments),
        TransportKeyState.DESTROYED,
        chip.transport_algorithm,
        chip.transport_tries,
        chip.transport_tries,
        bytes(16),
    )
    _put(image, block.card_page, state.build())
    return bytes(image)


def chip_of(profile: Profile | PsamProfile) -> ChipSpec:
    """Return what the chip maker must do for a profile."""
    chip, key = profile.chip, profile.transport_key
    return ChipSpec(
        size=chip.size,
        atr_profile=AtrProfile[profile.atr_profile],
        historical=profile.historical,
        uuid=chip.uuid,
        chip_serial=chip.serial,
        ic_id=chip.ic_id,
        ic_type=chip.ic_type,
        fab_date=chip.fab_date,
        cos_id=chip.cos_id,
        generation=chip.generation,
        test_card=chip.test,
        plain_keys=chip.plain_keys,
        transport_key=key.value,
        transport_algorithm=key.algorithm,
        transport_tries=key.tries,
        options=dict(profile.options),
    )


def _put(image: bytearray, page: int, data: bytes) -> None:
    image[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = data


class _Extent:
    """One extent being filled: objects go in at the top, in the order of creation."""

    def __init__(self, image: bytearray, entry: ExtentEntry) -> None:
        self._image = image
        self._entry = entry
        self._top = entry.start * PAGE_SIZE + FIRST_OBJECT
        self._limit = (entry.start + entry.pages) * PAGE_SIZE

    def build(self, directory: Directory) -> None:
        """Write the domain header and everything below the domain's root directory."""
        entry = self._entry
        state = DomainState.OPERATIONAL if entry.domain else DomainState.OWNED
        header = DomainHeader(entry.domain, state, entry.start, entry.pages, entry.fid, self._top)
        _put(self._image, entry.start, header.build())
        self._directory(directory, parent=0, suite=directory.suite)

    def _directory(self, directory: Directory, parent: int, suite: int) -> None:
        is_ddf = not parent and bool(directory.domain)
        root = self._object(directory_fcp(directory, is_ddf=is_ddf), parent, suite)
        if directory.key_slots:
            keys = b"".join(_key_record(key) for key in _slots(directory))
            self._object(key_file_fcp(directory), root, 0, keys)
        stored = stored_files(directory.dgis) if directory.dgis else {}
        for file in directory.files:
            body = stored.get(file.fid)
            self._object(file_fcp(file), root, 0, _body(file) if body is None else body)
        for below in directory.directories:
            self._directory(below, root, suite)

    def _object(self, parameters: bytes, parent: int, suite: int, body: bytes = b"") -> int:
        """Append one object; `body` replaces the beginning of its fresh body."""
        request = fcp.request(parameters)
        address = self._top
        fresh = request.fresh_body()
        if len(body) > len(fresh) or address + HEADER_SIZE + len(fresh) > self._limit:
            raise ProfileError(f"{request.fid:04X} does not fit where the profile puts it")
        header = request.header(self._entry.domain, parent, suite)
        whole = header.build() + body + fresh[len(body) :]
        self._image[address : address + len(whole)] = whole
        self._top = align(address + len(whole))
        return address


def _slots(directory: Directory) -> Iterator[Key]:
    """Yield the keys of a directory in the order they are installed."""
    if directory.master is not None:
        yield directory.master
    yield from directory.keys
    if directory.pin is not None:
        yield directory.pin


def _key_record(key: Key) -> bytes:
    check = check_value(key.type, key.algorithm, key.value)
    return KeyRecord.from_header(key.header, key.value, check).build()


def _body(file: File) -> bytes:
    """Return the beginning of a file's body, its records or content in it (cos 2.5, Bodies)."""
    records = file.records
    if not records:
        return file.content
    match file.kind:
        case Kind.LINEAR_FIXED:
            return bytes((len(records), 0xFF)) + b"".join(records)
        case Kind.CYCLIC:
            count = file.record_count
            kept = records[-count:]
            newest = (len(records) - 1) % count
            slots = [b""] * len(kept)
            for age, record in enumerate(reversed(kept)):
                slots[(newest - age) % count] = record
            return bytes((newest, len(kept))) + b"".join(slots)
        case _:
            data = b"".join(bytes((len(record),)) + record for record in records)
            return len(data).to_bytes(2, "big") + data
