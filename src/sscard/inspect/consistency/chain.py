"""One extent: its domain header, its chain of objects, and the tree they make (cos 2.2-2.5)."""

from collections import Counter

from sscard.cos import access
from sscard.cos.layout import PAGE_SIZE, DomainHeader, ExtentEntry, LayoutError
from sscard.cos.objects import (
    CHAIN_END,
    DELETED,
    HEADER_SIZE,
    KEY_RECORD_SIZE,
    LIVE,
    FileHeader,
    Kind,
    align,
)
from sscard.inspect.finding import Report
from sscard.inspect.names import domain_name, kind_name

__all__ = ["Node", "check_chain", "check_domain_header"]

_DEEPEST = 2
"""Levels of directories within one extent: a DDF and its ADFs."""
_LIFE_CYCLES = (0x01, 0x04, 0x05, 0x0C)
_DIRECTORY_BODY = 24
_RECORDS = (Kind.LINEAR_FIXED, Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV, Kind.CYCLIC, Kind.KEY)
_CONDITIONS = {Kind.DIRECTORY: 3, Kind.KEY: 1}
_KINDS = frozenset(Kind.__members__.values())
_FIELDS = "cos 2.5 OBJ"


class Node:
    """A live object of the chain and what hangs below it."""

    __slots__ = ("address", "children", "end", "header", "owner", "parent")

    def __init__(self, owner: str, address: int, header: FileHeader) -> None:
        self.owner = owner
        self.address = address
        self.header = header
        self.end = align(address + HEADER_SIZE + header.body_length)
        self.parent: Node | None = None
        self.children: list[Node] = []

    @property
    def body(self) -> int:
        """Address of the first byte of the body."""
        return self.address + HEADER_SIZE

    @property
    def where(self) -> str:
        """The path of the object, for findings."""
        names = []
        node: Node | None = self
        while node is not None:
            names.append(f"{node.header.fid:04X}")
            node = node.parent
        return f"{self.owner} {'/'.join(reversed(names))}"


def check_domain_header(memory: bytes, entry: ExtentEntry, report: Report) -> DomainHeader | None:
    """Check the first page of an extent; return the header if it can be read."""
    owner = domain_name(entry.domain)
    at = entry.start * PAGE_SIZE
    try:
        header = DomainHeader.parse(memory[at : at + PAGE_SIZE])
    except LayoutError as error:
        report.error(f"{owner} domain header", str(error), at, "cos 2.5 DH")
        return None
    expected = (entry.domain, entry.start, entry.pages, entry.fid)
    if (header.domain, header.start, header.pages, header.fid) != expected:
        report.error(
            f"{owner} domain header", "it disagrees with the extent table", at, "cos 2.5 DH, EX"
        )
    if header.ddf != at + PAGE_SIZE:
        report.error(
            f"{owner} domain header",
            f"it says the DDF object is at {header.ddf:05X}, it is at {at + PAGE_SIZE:05X}",
            at,
            "cos 2.5 DH",
        )
    if header.mac_left > 3 or header.unblock_left > 3:
        report.error(f"{owner} domain header", "a failure counter exceeds 3", at, "cos 6.1")
    return header


def check_chain(
    memory: bytes, entry: ExtentEntry, report: Report, *, psam: bool = False
) -> list[Node]:
    """Walk and check the chain of an extent; return its live objects, the root first.

    In a `psam` DFs stand in the MF, and the key EF may come after other files (cos 7.1).
    """
    owner = domain_name(entry.domain)
    address = entry.start * PAGE_SIZE + PAGE_SIZE
    limit = (entry.start + entry.pages) * PAGE_SIZE
    nodes: list[Node] = []
    by_address: dict[int, Node] = {}
    last_dead = 0
    while address + HEADER_SIZE <= limit and memory[address] != CHAIN_END:
        raw = memory[address : address + HEADER_SIZE]
        header = FileHeader.parse(raw)
        end = align(address + HEADER_SIZE + header.body_length)
        if header.state not in (LIVE, DELETED):
            report.error(f"{owner} chain", f"unknown state {header.state:02X}", address, _FIELDS)
        if not header.intact:
            report.error(
                f"{owner} {header.fid:04X}", "damaged: the header's CRC is wrong", address, _FIELDS
            )
        if end > limit:
            report.error(
                f"{owner} chain",
                f"the object reaches to {end:05X}, the extent ends at {limit:05X}",
                address,
                "cos 2.5, chain rule",
            )
            break
        if header.state == LIVE:
            node = Node(owner, address, header)
            _link(node, by_address, report)
            if header.intact:
                _check_header(node, raw, entry.domain, report)
            nodes.append(node)
            by_address[address] = node
            last_dead = 0
        else:
            last_dead = address
        address = end
    if last_dead:
        report.warning(
            f"{owner} chain", "a tombstone ends the chain: its space is lost", last_dead, "cos 2.4"
        )
    _check_root(nodes, entry, report)
    below = _sizes_below(nodes)
    for node in nodes:
        if node.header.kind == Kind.DIRECTORY:
            deepest = _DEEPEST if entry.domain or psam else 1
            _check_directory(node, below[node.address], report, deepest, key_file_first=not psam)
    return nodes


def _link(node: Node, by_address: dict[int, Node], report: Report) -> None:
    if not by_address:
        if node.header.parent:
            report.error(node.where, "the first object has a parent", node.address, _FIELDS)
        return
    parent = by_address.get(node.header.parent)
    if parent is None or parent.header.kind != Kind.DIRECTORY:
        report.error(
            node.where,
            f"orphan: no live directory is at {node.header.parent:05X}",
            node.address,
            _FIELDS,
        )
        return
    node.parent = parent
    parent.children.append(node)


def _check_header(node: Node, raw: bytes, domain: int, report: Report) -> None:
    header = node.header
    for what in _header_faults(header, raw, domain):
        report.error(node.where, what, node.address, _FIELDS)


def _header_faults(header: FileHeader, raw: bytes, domain: int) -> list[str]:
    if header.kind not in _KINDS:
        return [kind_name(header.kind)]
    faults = []
    if header.domain != domain:
        faults.append(f"it names {domain_name(header.domain)} as its domain")
    if header.sfi > 30:
        faults.append(f"SFI {header.sfi:02X} is more than 30")
    if header.lcs not in _LIFE_CYCLES:
        faults.append(f"life-cycle status {header.lcs:02X} is unknown")
    if header.flags or raw[43] or header.fci_fid:
        faults.append("a reserved field is not 0")
    directory = header.kind == Kind.DIRECTORY
    if directory != bool(header.name_length) or (directory and not 5 <= header.name_length <= 16):
        faults.append(f"a DF name of {header.name_length} bytes")
    if header.quota and not directory:
        faults.append("a file has a quota")
    faults.extend(_size_faults(header))
    used = _CONDITIONS.get(Kind(header.kind), 3)
    if not all(access.valid(word) for word in header.access[:used]):
        faults.append("an undefined access condition")
    if any(word != access.NEVER for word in header.access[used:]):
        faults.append("an unused access condition is not FFFF")
    return faults


def _size_faults(header: FileHeader) -> list[str]:
    kind, capacity, body = header.kind, header.capacity, header.body_length
    records, length = header.record_count, header.record_max
    if (kind in _RECORDS) != bool(records and length):
        return ["record length and number do not fit the kind"]
    if kind == Kind.DIRECTORY:
        return [] if (body, capacity) == (_DIRECTORY_BODY, 0) else ["the body has not 24 bytes"]
    if kind == Kind.KEY:
        good = length == KEY_RECORD_SIZE and records <= 64 and capacity == records * length
        return [] if good and body == capacity else ["the slots do not fit the body"]
    if kind in (Kind.LINEAR_FIXED, Kind.CYCLIC) and capacity != records * length:
        return [f"a capacity of {capacity} bytes is not {records} records of {length}"]
    prefix = 0 if kind in (Kind.TRANSPARENT, Kind.INTERNAL) else 2
    if not capacity or body != capacity + prefix:
        return [f"a body of {body} bytes does not fit a capacity of {capacity}"]
    return []


def _check_root(nodes: list[Node], entry: ExtentEntry, report: Report) -> None:
    owner, at = domain_name(entry.domain), entry.start * PAGE_SIZE + PAGE_SIZE
    if not nodes or nodes[0].address != at or nodes[0].header.kind != Kind.DIRECTORY:
        report.error(
            f"{owner} chain", "the extent has no root directory", at, "cos 2.5, chain rule"
        )
        return
    root = nodes[0].header
    if root.fid != entry.fid:
        report.error(
            nodes[0].where, f"the extent table knows it as {entry.fid:04X}", at, "cos 2.5 EX"
        )
    if -(-root.quota // PAGE_SIZE) != entry.pages:
        report.error(
            nodes[0].where,
            f"a quota of {root.quota} bytes is not {entry.pages} pages",
            at,
            "cos 2.4",
        )


def _check_directory(
    node: Node, used: int, report: Report, deepest: int, *, key_file_first: bool
) -> None:
    depth, above = 0, node.parent
    while above is not None:
        depth, above = depth + 1, above.parent
    if depth >= deepest:
        report.error(node.where, "a directory too deep in the tree", node.address, "cos 2.2")
    children = node.children
    fids = Counter(child.header.fid for child in children)
    sfis = Counter(child.header.sfi for child in children if child.header.kind != Kind.DIRECTORY)
    for child in children:
        fid, sfi = child.header.fid, child.header.sfi
        if fids[fid] > 1:
            report.error(child.where, "its FID stands twice here", child.address, "cos 2.2")
        if sfi and sfis[sfi] > 1:
            report.note(child.where, f"SFI {sfi:02X} stands twice here", child.address, "cos 2.2")
    key_files = [index for index, child in enumerate(children) if child.header.kind == Kind.KEY]
    if len(key_files) > 1 or (key_file_first and key_files not in ([], [0])):
        report.error(
            node.where, "its key EF is not its first and only one", node.address, "cos 5.2"
        )
    if depth and 0 < node.header.quota < used:
        report.error(
            node.where,
            f"{used} bytes are used of a quota of {node.header.quota}",
            node.address,
            "cos 2.4",
        )


def _sizes_below(nodes: list[Node]) -> dict[int, int]:
    """Return by address the bytes that hang below each object; children follow their parents."""
    below = {node.address: 0 for node in nodes}
    for node in reversed(nodes):
        if node.parent is not None:
            below[node.parent.address] += node.end - node.address + below[node.address]
    return below
