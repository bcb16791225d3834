"""INIT_SAM_FOR_PURCHASE and CREDIT_SAM_FOR_PURCHASE: the terminal's side of a debit (cos 7.3).

The terminal transaction number is the PSAM's own: it is raised and committed before MAC1
leaves, so that no number is ever used twice, whatever happens to the power.
"""

from typing import NamedTuple, Self

from sscard.apps.psam.workingkeys import Purchasing, become, card_key, held, visible_keys
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.keys.purse import Transaction, purchase_key, purchase_mac1, purchase_mac2
from sscard.keys.sam import FACTOR
from sscard.spec.psam import (
    COUNTER_FIDS,
    COUNTER_SIZE,
    LEVELS_MAX,
    TERMINAL_FID,
    TERMINAL_SIZE,
    Use,
    levels,
    use_of,
)

__all__ = ["COMMANDS"]

COMMANDS = CommandTable("PSAM purchase")

_REF = "cos 7.3"
_FIXED = 0x14
_COUNTER_MAX = 0xFFFFFFFF


class _Request(NamedTuple):
    """The data field of INIT_SAM_FOR_PURCHASE."""

    random: bytes
    sequence: int
    amount_fen: int
    kind: int
    moment: bytes
    version: int
    algorithm: int
    factors: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """rand4 seq2 amount4 type1 date4 time3 version1 alg1, then the factors, card's first."""
        return cls(
            random=data[:4],
            sequence=int.from_bytes(data[4:6], "big"),
            amount_fen=int.from_bytes(data[6:10], "big"),
            kind=data[10],
            moment=data[11:18],
            version=data[18],
            algorithm=data[19],
            factors=data[_FIXED:],
        )


@COMMANDS.command(
    0x80,
    0x70,
    "INIT_SAM_FOR_PURCHASE",
    lc=tuple(_FIXED + FACTOR * depth for depth in range(LEVELS_MAX + 1)),
    ref="cos 7.3, 7.4",
)
def init_sam_for_purchase(domain: Domain, command: Command) -> bytes:
    """Return the terminal transaction number and MAC1 over the transaction.

    Refuses: 9403 no purchase key of this version and algorithm, 6700 the wrong number of
    factors for it, 6983 no MAC2 try left, 6A82 no terminal number or counter, 9402 the
    counter is at its end.
    """
    domain.session.app = None
    request = _Request.parse(command.data)
    key = _purchase_key(domain, request)
    domain.require_tries(key, _REF)
    terminal = _own_file(domain, _root(domain), (TERMINAL_FID,), TERMINAL_SIZE)
    counter = _own_file(domain, domain.directory, COUNTER_FIDS, COUNTER_SIZE)
    number = int.from_bytes(domain.store.read(counter.body, COUNTER_SIZE), "big") + 1
    if number > _COUNTER_MAX:
        raise Refusal(SW.COUNTER_LIMIT, "the terminal transaction number is used up", _REF)
    numbered = number.to_bytes(COUNTER_SIZE, "big")
    domain.store.write(counter.body, numbered)
    debit = Transaction(
        request.amount_fen,
        request.kind,
        domain.store.read(terminal.body, TERMINAL_SIZE),
        request.moment,
    )
    session_key = purchase_key(
        card_key(domain, key, request.factors).value, request.random, request.sequence, number
    )
    domain.crypto.charge(Algorithm.DES, 32)
    domain.after_commit(become(domain, Purchasing(session_key, request.amount_fen, key)))
    return numbered + purchase_mac1(session_key, debit)


def _purchase_key(domain: Domain, request: _Request) -> KeyRecord:
    """Return the purchase key of a version that this many factors lead down to the card."""
    depths = []
    for key in visible_keys(domain):
        offered = use_of(key.type) is Use.PURCHASE and key.algorithm == Algorithm.TDES
        if offered and (key.id, key.algorithm) == (request.version, request.algorithm):
            depths.append(levels(key.type))
            if FACTOR * depths[-1] == len(request.factors):
                return key
    if not depths:
        raise Refusal(SW.KEY_INDEX, f"no purchase key of version {request.version:02X}", _REF)
    raise Refusal(SW.WRONG_LENGTH, f"the key wants {depths[0]} factors", _REF)


def _root(domain: Domain) -> FileNode:
    here = domain.directory
    while here.parent is not None:
        here = here.parent
    return here


def _own_file(domain: Domain, directory: FileNode, fids: tuple[int, ...], size: int) -> FileNode:
    """Return the first of some transparent files of the card itself, whole and big enough."""
    for fid in fids:
        node = directory.child(fid)
        if node is not None and node.kind == Kind.TRANSPARENT and node.header.capacity >= size:
            if node.damaged:
                raise Refusal(SW.MEMORY_FAILURE, f"{fid:04X} is damaged", "cos 2.5")
            return node
    raise Refusal(SW.FILE_NOT_FOUND, f"there is no file {fids[0]:04X}", "cos 7.1")


@COMMANDS.command(0x80, 0x72, "CREDIT_SAM_FOR_PURCHASE", lc=(4,), ref="cos 7.3, 7.4")
def credit_sam_for_purchase(domain: Domain, command: Command) -> bytes:
    """Check the card's MAC2; the transaction is over whatever comes out.

    Refuses: 6985 no INIT_SAM_FOR_PURCHASE before, 6983 no try left, 9302 wrong.
    """
    debit = held(domain, Purchasing, _REF)
    domain.session.app = None
    domain.require_tries(debit.key, _REF)
    domain.crypto.charge(Algorithm.DES, 8)
    expected = purchase_mac2(debit.session_key, debit.amount_fen)
    if not domain.prove(debit.key, lambda: domain.crypto.same(expected, command.data)):
        raise Refusal(SW.MAC_WRONG, "MAC2 is wrong", _REF)
    return b""
