"""The file tree of one extent, mounted from its chain of objects (cos 2.4, 2.5).

A `FileTree` is an immutable view: creating or deleting a file makes a new one. Mounting never
hangs and never reads outside the extent, whatever the bytes say: addresses only rise. An object
that stands where the format has no place for it is an orphan: listed in `nodes`, but linked to
no directory and found by no SELECT.
"""

from collections.abc import Iterator

from sscard.cos.layout import PAGE_SIZE
from sscard.cos.objects import (
    CHAIN_END,
    DIRECTORY_BODY,
    HEADER_SIZE,
    LIVE,
    FileHeader,
    Kind,
    align,
)
from sscard.spec.codes import KEY_FILE_FID

__all__ = ["FIRST_OBJECT", "FileNode", "FileTree", "mount"]

FIRST_OBJECT = PAGE_SIZE
"""Offset of the first object in an extent: right behind the domain header page."""

_DIRECTORY_NAME = 8
"""Offset of the DF name in a directory's body, behind DFSTATE."""
_DEEPEST_DIRECTORY = 1
"""Depth of an ADF: an extent has a root, ADFs in it, and EFs in both (cos 2.2)."""


class FileNode:
    """A live object: its header, where its body lies, and its place in the tree.

    `is_directory`: an MF, DDF or ADF. `end` is the address of the next object. `depth` is 0
    for the MF or a DDF, 1 for an object in it, and so on. `damaged`: the header's CRC does not
    hold, or its lengths contradict each other. A damaged EF80 is a key EF whatever its kind
    says: keys are not handed out as records because one bit has flipped.
    """

    __slots__ = (
        "address",
        "body",
        "by_sfi",
        "children",
        "damaged",
        "depth",
        "end",
        "fid",
        "header",
        "is_directory",
        "key_file",
        "kind",
        "name",
        "parent",
        "sfi",
    )

    def __init__(self, address: int, header: FileHeader, name: bytes) -> None:
        self.address = address
        self.header = header
        self.damaged = not (header.intact and header.consistent)
        self.kind = Kind.KEY if self.damaged and header.fid == KEY_FILE_FID else header.kind
        self.is_directory = self.kind == Kind.DIRECTORY
        self.fid = header.fid
        self.sfi = header.sfi
        self.body = address + HEADER_SIZE
        self.end = align(self.body + header.body_length)
        self.name = name
        self.depth = 0
        self.parent: FileNode | None = None
        self.children: list[FileNode] = []
        self.by_sfi: dict[int, FileNode] = {}
        self.key_file: FileNode | None = None

    @property
    def is_secret(self) -> bool:
        """Whether the body holds keys or a domain's own data (cos 1.4, scrubbing)."""
        return self.kind in (Kind.KEY, Kind.INTERNAL)

    def child(self, fid: int) -> "FileNode | None":
        """Return the child with this FID, in order of creation."""
        return next((node for node in self.children if node.fid == fid), None)

    def descendants(self) -> Iterator["FileNode"]:
        """Yield every object below this directory, depth first; it is two levels at most."""
        for node in self.children:
            yield node
            yield from node.descendants()

    def __repr__(self) -> str:
        return f"FileNode({self.fid:04X}, kind=0x{self.kind:02X}, at 0x{self.address:04X})"


class FileTree:
    """What one extent holds: the root directory and every object in chain order.

    `directories` has them by DF name, in order of creation; `top` is the first free address;
    `secret_pages` the pages that carry a body of kind 0C or 09; `broken` says why the chain
    can change no more, if so: the walk stopped early, or a damaged header makes the addresses
    behind it doubtful.
    """

    __slots__ = (
        "broken",
        "directories",
        "limit",
        "nodes",
        "root",
        "secret_pages",
        "top",
    )

    def __init__(self, nodes: list[FileNode], top: int, limit: int, broken: str) -> None:
        self.nodes = nodes
        self.root = nodes[0] if nodes and _may_hold(nodes[0]) else None
        self.directories: dict[bytes, FileNode] = {}
        for node in nodes:
            if node.is_directory and (node is self.root or node.parent is not None):
                self.directories.setdefault(node.name, node)
        self.top = top
        self.limit = limit
        self.broken = broken
        self.secret_pages = frozenset(
            page
            for node in nodes
            if node.is_secret
            for page in range(
                node.body // PAGE_SIZE,
                (node.body + max(node.header.body_length, 1) - 1) // PAGE_SIZE + 1,
            )
        )

    @property
    def free(self) -> int:
        """Bytes left above the top of the chain."""
        return max(self.limit - self.top, 0)

    def at(self, address: int) -> FileNode | None:
        """Return the object whose header lies at `address`."""
        return next((node for node in self.nodes if node.address == address), None)


def mount(memory: bytes | bytearray, start: int, pages: int) -> FileTree:
    """Walk the chain of the extent of `pages` pages that begins at page `start`.

    Source: cos 2.5, chain rule. Objects with a bad CRC are kept, marked damaged; the walk
    stops where the chain cannot be followed any further, and says so in `broken`.
    """
    address = start * PAGE_SIZE + FIRST_OBJECT
    limit = (start + pages) * PAGE_SIZE
    nodes: list[FileNode] = []
    by_address: dict[int, FileNode] = {}
    broken = ""
    while address + HEADER_SIZE <= limit and memory[address] != CHAIN_END:
        header = FileHeader.parse(bytes(memory[address : address + HEADER_SIZE]))
        end = align(address + HEADER_SIZE + header.body_length)
        if end > limit:
            broken = f"the object at {address:04X} reaches beyond the extent"
            break
        if not header.intact:
            broken = f"the header at {address:04X} is damaged"
        if header.state == LIVE:
            node = FileNode(address, header, _name(memory, address, header))
            _link(node, by_address)
            nodes.append(node)
            by_address[address] = node
        address = end
    return FileTree(nodes, address, limit, broken)


def _name(memory: bytes | bytearray, address: int, header: FileHeader) -> bytes:
    if header.kind != Kind.DIRECTORY:
        return b""
    begin = address + HEADER_SIZE + _DIRECTORY_NAME
    return bytes(memory[begin : begin + min(header.name_length, 16)])


def _may_hold(node: FileNode) -> bool:
    """Whether a node can be a directory: of that kind, its state and name in its own body."""
    return node.is_directory and node.header.body_length >= DIRECTORY_BODY


def _link(node: FileNode, by_address: dict[int, FileNode]) -> None:
    """Hang a node under its parent, where the format allows it to be; else it is an orphan."""
    parent = by_address.get(node.header.parent)
    if parent is None or not _may_hold(parent):
        return
    if parent.parent is None and parent is not next(iter(by_address.values())):
        return  # its parent is an orphan itself
    depth = parent.depth + 1
    if node.is_directory and not (_may_hold(node) and depth <= _DEEPEST_DIRECTORY):
        return
    node.parent = parent
    node.depth = depth
    parent.children.append(node)
    if node.sfi and not node.is_directory:
        parent.by_sfi.setdefault(node.sfi, node)
    if node.kind == Kind.KEY and parent.key_file is None:
        parent.key_file = node
