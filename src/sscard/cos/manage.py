"""CREATE, DELETE, ERASE, TERMINATE, END PERSONALISATION (cos 2.4, 4.2, 5.1, 5.2).

What only an owner may do with a domain, and, until there is an owner, its sponsor.
"""

from contextlib import suppress

from sscard.cos import access, fcp
from sscard.cos.authenticate import master_mac, require_master
from sscard.cos.commands import ANY_LC, CommandTable, Survives
from sscard.cos.domain import CM, Domain
from sscard.cos.eeprom import BLANK, PAGE_SIZE, WriteFailure
from sscard.cos.layout import Block, CardLifeCycle, DomainHeader, DomainState, ExtentEntry
from sscard.cos.objects import CHAIN_END, DELETED, HEADER_SIZE, FileHeader, Kind, align
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FIRST_OBJECT, FileNode, FileTree
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["MANAGEMENT", "append_object", "new_extent"]

MANAGEMENT = CommandTable("management")

_REF = "cos 5.2"
_MF = 0x3F00
_CREATE, _DELETE = 0, 1
_QUOTA_LEAST = 2048
_DEEPEST = 2
"""Directory levels below the MF: DDF and ADF (cos 2.2)."""
_BOTH_SUITES = 3


# --- CREATE FILE --------------------------------------------------------------------------


@MANAGEMENT.command(
    (0x80, 0x84), 0xE0, "CREATE FILE", lc=ANY_LC, survives=Survives.BLANK, ref="cos 5.2"
)
def create_file(domain: Domain, command: Command) -> bytes:
    """Create a directory or an EF under the current directory from its FCP."""
    here = domain.session.directory
    if here is None:
        _create_mf(domain, _fcp_data(domain, command))
        return b""
    _check_phase(domain, here)
    data = _fcp_data(domain, command)
    domain.require(here.header.access[_CREATE], "creating a file here", _REF)
    request = fcp.request(data)
    _check_place(domain, here, request)
    _check_unique(domain, here, request)
    if domain.code == CM and request.kind == Kind.DIRECTORY:
        _create_ddf(domain, request)
    else:
        append_object(domain, here, request)
    return b""


def _fcp_data(domain: Domain, command: Command) -> bytes:
    """Return the FCP, its MAC checked and taken off in the 84 form."""
    if not command.cla & 0x04:
        return command.data
    if len(command.data) < 4:
        raise Refusal(SW.WRONG_LENGTH, "the data end in no MAC", "cos 6.1")
    master_mac(domain, command, require_master(domain))
    return command.data[:-4]


def _check_phase(domain: Domain, here: FileNode) -> None:
    """Refuse with 6985 what the life cycle forbids, whoever asks (cos 5.2, 5.3)."""
    if domain.code == CM and domain.facts.card_lcs() not in (
        CardLifeCycle.BLANK,
        CardLifeCycle.INITIALISED,
    ):
        raise Refusal(SW.CONDITIONS, "the card is handed over: the MF is closed", _REF)
    if here.parent is None and here.key_file is not None and not domain.keys.has_master(here):
        raise Refusal(SW.CONDITIONS, "the master key of this directory comes first", _REF)


def _check_place(domain: Domain, here: FileNode, request: fcp.FileRequest) -> None:
    """Check what may stand where (cos 2.2, 5.2)."""
    directory = request.kind == Kind.DIRECTORY
    first = not here.children
    if first and request.kind != Kind.KEY and (here.parent is None):
        raise Refusal(SW.CONDITIONS, "the key EF is the first file of an MF or DDF", _REF)
    if request.kind == Kind.KEY and not first and here.key_file is None:
        raise Refusal(SW.CONDITIONS, "the key EF is the first file of a directory", _REF)
    if not directory:
        return
    if request.fid == _MF:
        raise Refusal(SW.FID_EXISTS, "there is one MF", _REF)
    if domain.code == CM:
        if request.domain is None:
            raise Refusal(SW.WRONG_DATA, "a DDF needs A5/C0", _REF)
    elif request.domain is not None or here.depth + 1 >= _DEEPEST:
        raise Refusal(SW.WRONG_DATA, "there are three directory levels, and DDFs in the MF", _REF)


def _check_unique(domain: Domain, here: FileNode, request: fcp.FileRequest) -> None:
    if here.child(request.fid) is not None or (
        request.kind == Kind.KEY and here.key_file is not None
    ):
        raise Refusal(SW.FID_EXISTS, f"FID {request.fid:04X} exists here", _REF)
    if domain.chip is not None:
        for entry in domain.chip.entries():
            if request.fid == entry.fid or request.domain == entry.domain:
                raise Refusal(SW.FID_EXISTS, "this environment exists", _REF)
    if request.name and domain.facts.name_exists(request.name):
        raise Refusal(SW.NAME_EXISTS, "a directory has this name", _REF)


def _create_mf(domain: Domain, data: bytes) -> None:
    """Create the MF: the transport key's only file (cos 5.2). It becomes current."""
    if not domain.session.environment_mask & access.MASTER_BIT:
        raise Refusal(SW.SECURITY_STATUS, "the transport key is not proved", _REF)
    request = fcp.request(data)
    if request.kind != Kind.DIRECTORY or request.fid != _MF or request.domain is not None:
        raise Refusal(SW.CONDITIONS, "the MF comes first", _REF)
    new_extent(domain, CM, request, DomainState.CREATED)


def _create_ddf(domain: Domain, request: fcp.FileRequest) -> None:
    """Create an environment: its extent, its header and its DDF, as one transaction (F7)."""
    assert domain.chip is not None
    assert request.domain is not None
    if request.quota < _QUOTA_LEAST:
        raise Refusal(SW.NO_SPACE, "a DDF has a quota of at least 2 KiB", _REF)
    state = domain.chip.card_state()
    new_extent(domain, request.domain, request, DomainState.CREATED)
    others = sum(entry.domain != CM for entry in domain.chip.entries())
    domain.chip.write_card_state(state._replace(domains=others + 1))


def new_extent(domain: Domain, code: int, request: fcp.FileRequest, state: DomainState) -> None:
    """Create an extent with its domain header and root directory; 6A84 without room (cos 2.4)."""
    chip = domain.chip
    assert chip is not None
    pages = -(-request.quota // PAGE_SIZE)
    start = chip.free_range(pages) if pages else None
    if start is None or pages < 3:
        raise Refusal(SW.NO_SPACE, "the heap has no room for this extent", "cos 2.4")
    chip.widen(code, start, pages)
    entries = (*chip.entries(), ExtentEntry(code, start, pages, request.fid))
    chip.write_entries(entries)
    first = start * PAGE_SIZE + FIRST_OBJECT
    header = DomainHeader(code, state, start, pages, request.fid, first)
    domain.store.write(start * PAGE_SIZE, header.build())
    suite = _BOTH_SUITES if request.suite is None else request.suite
    body = request.header(code, 0, suite).build() + request.fresh_body()
    domain.store.write(first, body)
    domain.store.write(align(first + len(body)), bytes((CHAIN_END,)))
    domain.after_commit(domain.request_rewiring)


def append_object(domain: Domain, here: FileNode, request: fcp.FileRequest) -> None:
    """Append an object to the chain: free pages first (T3), then header and terminator."""
    tree = domain.extent.tree
    _require_chain(tree)
    body = request.fresh_body()
    start = tree.top
    end = align(start + HEADER_SIZE + len(body))
    if end > tree.limit:
        raise Refusal(SW.NO_SPACE, "the extent is full", "cos 2.4")
    _check_quota(here, end - start)
    suite = here.header.suite if request.kind == Kind.DIRECTORY else 0
    if request.kind == Kind.DIRECTORY and request.suite is not None:
        suite = request.suite
    header = request.header(domain.code, here.address, suite)
    _initialise_free_pages(domain, start, body)
    store = domain.store
    store.write(start, header.build())
    _write_shared_part(domain, start, body)
    if end < tree.limit:
        store.write(end, bytes((CHAIN_END,)))
    _expect_secrets(domain, start, header)
    domain.after_commit(domain.reload_tree)


def _require_chain(tree: FileTree) -> None:
    """Refuse with 6581 to change a chain that cannot be followed safely (cos 2.5)."""
    if tree.broken:
        raise Refusal(SW.MEMORY_FAILURE, tree.broken, "cos 2.5")


def _check_quota(here: FileNode, size: int) -> None:
    quota = here.header.quota
    if here.parent is not None and quota:
        used = sum(node.end - node.address for node in here.descendants())
        if used + size > quota:
            raise Refusal(SW.NO_SPACE, "the quota of the directory is used up", "cos 2.4")


def _free_span(start: int, body: bytes) -> tuple[int, int]:
    """Return the addresses between which a body fills whole pages above the header."""
    begin, end = start + HEADER_SIZE, start + HEADER_SIZE + len(body)
    low = -(-begin // PAGE_SIZE) * PAGE_SIZE
    return low, max(low, end // PAGE_SIZE * PAGE_SIZE)


def _initialise_free_pages(domain: Domain, start: int, body: bytes) -> None:
    """Write the body's whole pages, which nothing can reach yet (cos 1.3 T3, 2.5)."""
    low, high = _free_span(start, body)
    offset = low - start - HEADER_SIZE
    for address in range(low, high, PAGE_SIZE):
        domain.store.write_free(address // PAGE_SIZE, body[offset : offset + PAGE_SIZE])
        offset += PAGE_SIZE


def _write_shared_part(domain: Domain, start: int, body: bytes) -> None:
    """Put the ends of the body, in pages shared with others, into the transaction."""
    low, high = _free_span(start, body)
    begin = start + HEADER_SIZE
    end = begin + len(body)
    domain.store.write(begin, body[: min(low, end) - begin])
    if high < end and low < end:
        domain.store.write(high, body[high - begin :])


def _expect_secrets(domain: Domain, start: int, header: FileHeader) -> None:
    """Have the transaction scrubbed if it carries pages of a body of keys (cos 1.4)."""
    if header.kind in (Kind.KEY, Kind.INTERNAL):
        begin = start + HEADER_SIZE
        last = begin + header.body_length - 1
        pages = range(begin // PAGE_SIZE, last // PAGE_SIZE + 1)
        domain.store.secret_pages = domain.store.secret_pages.union(pages)


# --- DELETE, ERASE ------------------------------------------------------------------------


@MANAGEMENT.command(0x80, 0xE4, "DELETE FILE", lc=(2,), ref="cos 2.4")
def delete_file(domain: Domain, command: Command) -> bytes:
    """Delete a child of the current directory, a directory with all it holds (OWNED only)."""
    _delete(domain, _doomed(domain, command.data))
    return b""


@MANAGEMENT.command(0x84, 0xE4, "DELETE FILE", lc=(6,), ref="cos 2.4, 6.1")
def delete_file_protected(domain: Domain, command: Command) -> bytes:
    """Delete with a MAC under the master key."""
    node = _doomed(domain, command.data[:2])
    master_mac(domain, command, require_master(domain))
    _delete(domain, node)
    return b""


def _doomed(domain: Domain, data: bytes) -> FileNode:
    """Return the child to delete; 6985 what is never deleted or not now, 6A82 no such child."""
    if domain.state != DomainState.OWNED:
        raise Refusal(SW.CONDITIONS, "only while the domain is OWNED", "cos 2.4")
    here = domain.directory
    fid = int.from_bytes(data, "big")
    if fid == here.fid and here.parent is None:
        raise Refusal(SW.CONDITIONS, "a DDF is not deleted", "cos 2.4")
    node = here.child(fid)
    if node is None:
        if domain.chip is not None and any(entry.fid == fid for entry in domain.chip.entries()):
            raise Refusal(SW.CONDITIONS, "a DDF is not deleted", "cos 2.4")
        raise Refusal(SW.FILE_NOT_FOUND, "there is no such file here", "cos 2.4")
    if node.kind == Kind.KEY:
        raise Refusal(SW.CONDITIONS, "a key EF goes with its directory", "cos 2.4")
    return node


def _delete(domain: Domain, node: FileNode) -> None:
    domain.require(domain.directory.header.access[_DELETE], "deleting a file here", "cos 2.4")
    doomed = {node.address, *(below.address for below in node.descendants())}
    _bury(domain, domain.extent.tree, doomed)


def _bury(domain: Domain, tree: FileTree, doomed: set[int]) -> None:
    """Mark objects as tombstones and cut off the tail where nothing lives (cos 2.4)."""
    _require_chain(tree)
    top = max(node.end for node in tree.nodes if node.address not in doomed)
    for address in doomed:
        if address < top:
            domain.store.write(address, bytes((DELETED,)))
    if top < tree.top:
        domain.store.write(top, bytes((CHAIN_END,)))
    if len(domain.store.pages_pending()) > domain.store.pages_max:
        raise Refusal(SW.NO_SPACE, "too many pages for one transaction", "cos 1.4, 2.4")
    domain.after_commit(domain.reload_tree)


@MANAGEMENT.command(0x84, 0x0E, "ERASE", lc=(4,), ref="cos 5.1")
def erase(domain: Domain, command: Command) -> bytes:
    """Erase the content of the current DDF, keys included; test images only."""
    here = domain.directory
    if not domain.facts.test_card or here.parent is not None:
        raise Refusal(SW.CONDITIONS, "only on a test card, only in the MF or a DDF", "cos 5.1")
    if domain.code == CM:
        _erase_mf(domain, command, here)
    else:
        master_mac(domain, command, require_master(domain))
        domain.write_header(state=DomainState.CREATED, block=Block.NONE, mac_left=3, unblock_left=3)
        domain.store.write(here.end, bytes((CHAIN_END,)))
        domain.after_commit(lambda: _wipe(domain, here.end))
    domain.after_commit(domain.clear_rights)
    domain.after_commit(domain.request_rewiring)
    return b""


def _erase_mf(domain: Domain, command: Command, here: FileNode) -> None:
    """Drop the environments and the files of the MF; its key EF and the CMK stay."""
    chip = domain.chip
    assert chip is not None
    states = dict(chip.states())
    environments = [entry.domain for entry in chip.entries() if entry.domain != CM]
    if any(states.get(code) != DomainState.CREATED for code in environments):
        raise Refusal(SW.CONDITIONS, "an environment has an owner", "cos 5.1")
    master_mac(domain, command, require_master(domain))
    keep = here.key_file.end if here.key_file is not None else here.end
    domain.store.write(keep, bytes((CHAIN_END,)))
    chip.write_entries(tuple(entry for entry in chip.entries() if entry.domain == CM))
    chip.write_card_state(chip.card_state()._replace(domains=0))


def _wipe(domain: Domain, top: int) -> None:
    """Erase the pages wholly above the top: old keys do not linger where nothing reaches.

    The ERASE stands already, so a worn page here is no refusal.
    """
    for page in range(-(-(top + 1) // PAGE_SIZE), domain.extent.page_range.stop):
        with suppress(WriteFailure):
            domain.store.write_free(page, BLANK)


# --- life cycle ---------------------------------------------------------------------------


@MANAGEMENT.command(0x84, 0x1C, "END PERSONALISATION", lc=(4,), ref="cos 5.1")
def end_personalisation(domain: Domain, command: Command) -> bytes:
    """Make the domain OPERATIONAL: the personalisation override ends (cos 2.3)."""
    if domain.code == CM or domain.directory.parent is not None:
        raise Refusal(SW.CONDITIONS, "the current directory is not a DDF", "cos 5.1")
    if domain.state != DomainState.OWNED:
        raise Refusal(SW.CONDITIONS, "the domain is not OWNED", "cos 5.1")
    master_mac(domain, command, require_master(domain))
    domain.write_header(state=DomainState.OPERATIONAL)
    return b""


@MANAGEMENT.command(0x84, 0xE6, "TERMINATE", lc=(4,), ref="cos 5.1")
def terminate(domain: Domain, command: Command) -> bytes:
    """End the domain for good, by its own master key."""
    if domain.code == CM or domain.directory.parent is not None:
        raise Refusal(SW.CONDITIONS, "the current directory is not a DDF", "cos 5.1")
    if domain.state == DomainState.CREATED:
        raise Refusal(SW.CONDITIONS, "the domain has no owner", "cos 5.1")
    master_mac(domain, command, require_master(domain))
    domain.write_header(state=DomainState.TERMINATED)
    return b""
