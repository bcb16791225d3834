"""The order of the checks: superblocks, ring, static pages, extents, and what binds them."""

from collections.abc import Mapping

from sscard.cos import options as options_page
from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.layout import (
    AtrPage,
    CardLifeCycle,
    CardState,
    ChipPage,
    DomainHeader,
    DomainState,
    ExtentEntry,
    ExtentTable,
    LayoutError,
    Superblock,
    TransportKeyState,
)
from sscard.cos.objects import KeyRecord, KeyType, Kind
from sscard.cos.options import OPTIONS_PAGE
from sscard.cos.volume import read_superblock
from sscard.errors import ImageError
from sscard.inspect.consistency.bodies import check_body, check_keys
from sscard.inspect.consistency.chain import Node, check_chain, check_domain_header
from sscard.inspect.finding import Finding, Report
from sscard.inspect.names import domain_name
from sscard.inspect.ring import Ring, settled, survey
from sscard.spec.options import DEFAULTS

__all__ = ["fsck"]

_DOMAINS = (0, 1, 2)
_LEAST_HISTORY = 8
_RESERVED_PAGE = 7
_SEARCHED = 8
"""Keys of at least so many bytes are looked for in the ring; shorter ones occur by chance."""


class _Secrets:
    """What must not linger in the ring: pages that carry keys, and the keys themselves."""

    __slots__ = ("keys", "pages")

    def __init__(self, card_page: int) -> None:
        self.pages = {card_page}
        self.keys: list[KeyRecord] = []


def fsck(image: bytes | bytearray) -> list[Finding]:
    """Check a card image; an empty list means clean.

    Shapes: `image` any bytes. Checks: both superblocks; CRCs of every page and header; extents
    disjoint and inside the heap; the chain, orphans, quotas; doubled FIDs, SFIs, names and
    keys; key records and their check values; used bytes and record counts; domain headers
    against the extent table and the life cycle; the journal. Findings come worst first.
    Raises nothing. Source: cos 2.5, tools the format must allow.
    """
    report = Report()
    try:
        block = read_superblock(image)
    except ImageError as error:
        report.error("superblock", str(error), 0, "cos 2.5")
        return report.findings
    _check_superblocks(image, block, report)
    ring = survey(image, block)
    memory = settled(image, ring)
    secrets = _check_contents(memory, block, report)
    _check_ring(memory, block, ring, secrets, report)
    return report.sorted()


def _check_superblocks(image: bytes | bytearray, block: Superblock, report: Report) -> None:
    expected = block.build()
    for copy in (0, 1):
        if image[copy * PAGE_SIZE : (copy + 1) * PAGE_SIZE] != expected:
            report.error(
                f"superblock copy {copy}",
                "damaged, the other is in use",
                copy * PAGE_SIZE,
                "cos 2.5",
            )
    if block.journal_start <= _RESERVED_PAGE:
        report.error("superblock", "the ring lies over the options page", 0, "cos 2.5")
    elif bytes(image[_RESERVED_PAGE * PAGE_SIZE : (_RESERVED_PAGE + 1) * PAGE_SIZE]).strip(b"\xff"):
        report.warning("reserved page", "it is not erased", _RESERVED_PAGE * PAGE_SIZE, "cos 2.5")
    if block.flags > 3:
        report.warning("superblock", f"unknown flags {int(block.flags):02X}", 0, "cos 2.5")


def _check_contents(memory: bytes, block: Superblock, report: Report) -> _Secrets:
    """Check static pages and extents; return what the ring must not keep copies of."""
    state = _check_static_pages(memory, block, report)
    entries = _sound_extents(memory, block, report)
    psam = _options(memory)["card_kind"] == "psam"
    headers: dict[int, DomainHeader] = {}
    names: dict[bytes, str] = {}
    secrets = _Secrets(block.card_page)
    for entry in entries:
        header = check_domain_header(memory, entry, report)
        nodes = check_chain(memory, entry, report, psam=psam)
        root_keys = _check_nodes(memory, nodes, names, secrets, report, psam=psam)
        if header is not None:
            headers[entry.domain] = header
            _check_ownership(entry, header, root_keys, report)
    if state is not None:
        _check_card_state(state, headers, entries, block, report)
    return secrets


def _check_static_pages(memory: bytes, block: Superblock, report: Report) -> CardState | None:
    state: CardState | None = None
    for number, kind, where in (
        (block.chip_page, ChipPage, "CH chip page"),
        (block.atr_page, AtrPage, "AT ATR page"),
        (block.card_page, CardState, "CS card state"),
    ):
        at = number * PAGE_SIZE
        try:
            record = kind.parse(memory[at : at + PAGE_SIZE])
        except LayoutError as error:
            report.error(where, str(error), at, "cos 2.5")
            continue
        if isinstance(record, CardState):
            state = record
        if isinstance(record, AtrPage) and len(record.historical) < _LEAST_HISTORY:
            report.error(where, "too few historical bytes for a card serial", at, "cos 1.6")
    at = OPTIONS_PAGE * PAGE_SIZE
    try:
        options_page.parse(memory[at : at + PAGE_SIZE])
    except LayoutError as error:
        report.error("OP options page", str(error), at, "cos 2.5")
    return state


def _sound_extents(memory: bytes, block: Superblock, report: Report) -> list[ExtentEntry]:
    """Return the extents that can be walked: known, inside the heap, disjoint."""
    at = block.extent_page * PAGE_SIZE
    try:
        table = ExtentTable.parse(memory[at : at + PAGE_SIZE])
    except LayoutError as error:
        report.error("EX extent table", str(error), at, "cos 2.5 EX")
        return []
    heap = range(block.heap_start, block.heap_start + block.heap_pages)
    sound: list[ExtentEntry] = []
    for entry in table.entries:
        pages = entry.page_range
        where = f"EX entry of {domain_name(entry.domain)}"
        faults = []
        if entry.domain not in _DOMAINS:
            faults.append("no such domain")
        if any(entry.domain == other.domain for other in sound):
            faults.append("the domain has two extents")
        if any(entry.fid == other.fid for other in sound):
            faults.append(f"FID {entry.fid:04X} stands twice")
        if not heap.start <= pages.start < pages.stop <= heap.stop or len(pages) < 2:
            faults.append("the extent lies outside the heap")
        if any(pages.start < o.page_range.stop and o.start < pages.stop for o in sound):
            faults.append("the extent overlaps another")
        for what in faults:
            report.error(where, what, at, "cos 2.5 EX")
        if not faults:
            sound.append(entry)
    return sound


def _check_nodes(
    memory: bytes,
    nodes: list[Node],
    names: dict[bytes, str],
    secrets: _Secrets,
    report: Report,
    *,
    psam: bool,
) -> list[KeyRecord]:
    """Check bodies, names and keys; return the keys of the root directory."""
    root_keys: list[KeyRecord] = []
    for node in nodes:
        header = node.header
        if not header.intact:
            continue
        if header.kind == Kind.KEY:
            keys = check_keys(memory, node, report, psam=psam)
            secrets.keys += keys
            if node.parent is nodes[0]:
                root_keys = keys
        else:
            check_body(memory, node, report)
        if header.kind == Kind.DIRECTORY:
            _check_name(memory, node, names, report)
        elif header.kind in (Kind.KEY, Kind.INTERNAL):
            last = node.body + max(header.body_length, 1) - 1
            secrets.pages.update(range(node.body // PAGE_SIZE, last // PAGE_SIZE + 1))
    return root_keys


def _check_name(memory: bytes, node: Node, names: dict[bytes, str], report: Report) -> None:
    begin = node.body + 8
    name = memory[begin : begin + min(node.header.name_length, 16)]
    if name in names:
        report.error(node.where, f"{names[name]} has the same DF name", node.address, "cos 2.2")
    names.setdefault(name, node.where)


def _check_ownership(
    entry: ExtentEntry, header: DomainHeader, keys: list[KeyRecord], report: Report
) -> None:
    """A domain has an owner exactly when it has a master key (cos 4.1, 4.2)."""
    owned = any(key.type == KeyType.MASTER for key in keys)
    where, at = f"{domain_name(entry.domain)} domain header", entry.start * PAGE_SIZE
    if owned and header.state == DomainState.CREATED:
        report.error(where, "the domain has a master key but is CREATED", at, "cos 4.2")
    if not owned and header.state != DomainState.CREATED:
        report.error(where, f"{header.state.name} without a master key", at, "cos 4.2")
    if keys and not owned:
        report.error(where, "the domain has keys but no master key", at, "cos 4.3")
    if entry.domain == 0 and header.state not in (DomainState.CREATED, DomainState.OWNED):
        report.error(where, f"the card manager is never {header.state.name}", at, "cos 2.5 CS")


def _check_card_state(
    state: CardState,
    headers: dict[int, DomainHeader],
    entries: list[ExtentEntry],
    block: Superblock,
    report: Report,
) -> None:
    at = block.card_page * PAGE_SIZE
    faults = []
    environments = [entry for entry in entries if entry.domain]
    if state.domains != len(environments):
        faults.append(f"it counts {state.domains} environments, there are {len(environments)}")
    if environments and not any(entry.domain == 0 for entry in entries):
        faults.append("there are environments but no MF")
    if state.tk_left > state.tk_max or state.tk_max > 15:
        faults.append(f"{state.tk_left} tries left of {state.tk_max} for the transport key")
    destroyed = state.tk_state == TransportKeyState.DESTROYED
    if destroyed and any(state.tk):
        faults.append("the transport key is destroyed but still there")
    if destroyed == (state.life_cycle == CardLifeCycle.BLANK):
        faults.append(f"{state.life_cycle.name} with a transport key {state.tk_state.name}")
    manager = headers.get(0)
    if manager is not None and destroyed != (manager.state == DomainState.OWNED):
        faults.append(f"{state.life_cycle.name} with a card manager {manager.state.name}")
    for what in faults:
        report.error("CS card state", what, at, "cos 2.5 CS, 3.4")


def _check_ring(
    memory: bytes, block: Superblock, ring: Ring, secrets: _Secrets, report: Report
) -> None:
    start = block.journal_start * PAGE_SIZE
    newest = ring.newest
    if newest is not None and not newest.applied:
        report.warning(
            f"journal slot {newest.slot}",
            f"transaction {newest.seq} of tag {newest.tag:02X} is committed but not applied:"
            " the next power-on finishes it",
            start + newest.slot * PAGE_SIZE,
            "cos 1.4",
        )
    if _options(memory)["scrub_keys"] == "off":
        return
    for slot in ring.residue:
        report.warning(
            f"journal slot {slot}", "residue of a torn write", start + slot * PAGE_SIZE, "cos 1.4"
        )
    if newest is None or not newest.applied:
        return
    if any(page in secrets.pages for page, _ in newest.images):
        report.warning(
            f"journal slot {newest.slot}",
            f"transaction {newest.seq} carried pages of keys and is not scrubbed yet",
            start + newest.slot * PAGE_SIZE,
            "cos 1.4, step 5",
        )
    _search_keys(memory[start : start + block.journal_pages * PAGE_SIZE], start, secrets, report)


def _search_keys(ring: bytes, start: int, secrets: _Secrets, report: Report) -> None:
    for key in secrets.keys:
        at = ring.find(key.value) if len(key.value) >= _SEARCHED else -1
        if at >= 0 and key.value.strip(key.value[:1]):
            report.warning(
                f"journal slot {at // PAGE_SIZE}",
                f"the value of the key at {key.address:05X} lingers here",
                start + at,
                "cos 1.4, step 5",
            )


def _options(memory: bytes) -> Mapping[str, str]:
    at = OPTIONS_PAGE * PAGE_SIZE
    try:
        return options_page.parse(memory[at : at + PAGE_SIZE])
    except LayoutError:
        return DEFAULTS
