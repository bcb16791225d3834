"""The files of the medical account: EF81, the TF file, and the debit log EF08 (ssse-lb002 2.4).

EF81 has 31 bytes, of which the reference says no more; ours are, integers big-endian:

    0   1  format, 01; FF: never used, and all of it FF, an account of nothing
    1   4  balance in fen
    5   2  on-line sequence number, of the next load
    7   2  off-line sequence number, of the next debit
    9   4  all that was ever debited, in fen; stays at FFFFFFFF
    13  1  type of the last transaction, 00 none
    14  2  its sequence number
    16  4  its MAC2
    20  4  its TAC
    24  3  00, where an overdraw limit would be: no command of the reference's sets one
    27  4  CRC-32 of the bytes before

A record of EF08 is sequence number 2, type 1, terminal 6, date and time 7, amount 4, balance
after 4, all debits so far 4 (ssse-lb002 3.10).
"""

import struct
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

from sscard.cos import records
from sscard.cos.domain import Domain
from sscard.cos.objects import Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.keys.purse import Transaction

__all__ = ["AMOUNT_MAX", "SEQUENCE_MAX", "Account", "AccountFiles", "Proof"]

AMOUNT_MAX = 0xFFFF_FFFF
SEQUENCE_MAX = 0xFFFF

_REF = "ssse-lb002 3.10"
_ACCOUNT_FID, _LOG_FID = 0xEF81, 0xEF08
_LAYOUT = struct.Struct(">BIHHIBH4s4s3x")
_SIZE = _LAYOUT.size + 4
_UNUSED = b"\xff" * _SIZE
_FORMAT = 1
_RECORD = struct.Struct(">HB6s7sIII")


class Proof(NamedTuple):
    """What GET TRANSACTION PROVE tells of the last transaction; `kind` 00: there was none."""

    kind: int = 0
    sequence: int = 0
    mac2: bytes = bytes(4)
    tac: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class Account:
    """The account as EF81 holds it; amounts in fen, sequence numbers those of the next use."""

    balance_fen: int = 0
    online_sequence: int = 0
    offline_sequence: int = 0
    debited_fen: int = 0
    last: Proof = field(default_factory=Proof)

    @classmethod
    def parse(cls, body: bytes) -> "Account":
        """Read the 31 bytes of EF81; ValueError when they are no account."""
        if body == _UNUSED:
            return cls()
        (layout, balance, online, offline, debited, *last) = _LAYOUT.unpack_from(body)
        account = cls(balance, online, offline, debited, Proof(*last))
        if layout != _FORMAT or account.build() != body:
            raise ValueError("not an account: format, filler or CRC")
        return account

    def build(self) -> bytes:
        """Return the 31 bytes of EF81; the mirror of `parse`."""
        body = _LAYOUT.pack(
            _FORMAT,
            self.balance_fen,
            self.online_sequence,
            self.offline_sequence,
            self.debited_fen,
            *self.last,
        )
        return body + zlib.crc32(body).to_bytes(4, "big")

    def loaded(self, amount_fen: int, proof: Proof) -> "Account":
        """Return the account after a load."""
        return Account(
            self.balance_fen + amount_fen,
            self.online_sequence + 1,
            self.offline_sequence,
            self.debited_fen,
            proof,
        )

    def debited(self, amount_fen: int, proof: Proof) -> "Account":
        """Return the account after a debit."""
        return Account(
            self.balance_fen - amount_fen,
            self.online_sequence,
            self.offline_sequence + 1,
            min(self.debited_fen + amount_fen, AMOUNT_MAX),
            proof,
        )


class AccountFiles:
    """EF81 and EF08 of the current application, 6985 where it has no account."""

    __slots__ = ("_account", "_domain", "_log")

    def __init__(self, domain: Domain) -> None:
        here = domain.directory
        account, log = here.child(_ACCOUNT_FID), here.child(_LOG_FID)
        if not (_is_account(account) and _is_log(log)):
            raise Refusal(SW.CONDITIONS, "no application with an account is selected", _REF)
        assert account is not None
        assert log is not None
        self._domain = domain
        self._account = account
        self._log = log

    def read(self) -> Account:
        """Return the account as it stands; 6581 when it is damaged."""
        if self._account.damaged or self._log.damaged:
            raise Refusal(SW.MEMORY_FAILURE, "a file of the account is damaged", "cos 2.5")
        try:
            return Account.parse(self._domain.store.read(self._account.body, _SIZE))
        except ValueError as error:
            raise Refusal(SW.MEMORY_FAILURE, f"the account: {error}", _REF) from None

    def write(self, account: Account) -> None:
        """Put the account into the transaction."""
        self._domain.store.write(self._account.body, account.build())

    def log(self, sequence: int, debit: Transaction, after: Account) -> None:
        """Put the record of a debit into the transaction, as the newest of the log."""
        record = _RECORD.pack(
            sequence,
            debit.kind,
            debit.terminal,
            debit.moment,
            debit.amount_fen,
            after.balance_fen,
            after.debited_fen,
        )
        records.add(self._domain.store, self._log, record)


def _is_account(node: FileNode | None) -> bool:
    return node is not None and node.kind == Kind.INTERNAL and node.header.capacity == _SIZE


def _is_log(node: FileNode | None) -> bool:
    return node is not None and node.kind == Kind.CYCLIC and node.header.record_max == _RECORD.size
