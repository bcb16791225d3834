"""The medical account of DF04: load, purchase, balance and proof (ssse-lb002 3.10; pse-pboc 8).

A load or a purchase is two commands. The first, INITIALIZE, checks all it can and leaves what
it found as the state of the transaction; only the very next command can complete it, any other
ends it (GET RESPONSE aside). The second checks the MAC and changes account, counter and log in
one transaction of the EEPROM (cos 1.3 T1); a terminal that got no answer asks GET TRANSACTION
PROVE what became of it (T4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sscard.apps.ssse.account_file import (
    AMOUNT_MAX,
    SEQUENCE_MAX,
    Account,
    AccountFiles,
    Proof,
)
from sscard.apps.ssse.proofs import environment, require_proved
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm, purse
from sscard.keys.purse import Transaction

__all__ = ["COMMANDS", "Idle", "LoadInitialised", "PurchaseInitialised", "State"]

COMMANDS = CommandTable("SSSE medical account")

_REF = "ssse-lb002 3.10"
_LOAD, _PURCHASE = 0, 1
_BY_P2 = (1, 2)
"""P2: 01 electronic deposit, 02 purse."""
_PROVABLE = (1, 2, 5, 6)
_NO_OVERDRAW = bytes(3)
_MAC_BLOCKS = 32
"""Bytes under a MAC or TAC, roughly: what its time is charged for."""


class Keys(NamedTuple):
    """The keys of one key index: DLK or DPK, and DTK."""

    transaction: KeyRecord
    tac: KeyRecord


@dataclass(frozen=True, slots=True)
class Idle:
    """No transaction has begun."""


@dataclass(frozen=True, slots=True)
class LoadInitialised:
    """INITIALIZE FOR LOAD answered; CREDIT FOR LOAD may follow. `opened` has no moment yet."""

    opened: Transaction
    sequence: int
    random: bytes
    keys: Keys


@dataclass(frozen=True, slots=True)
class PurchaseInitialised:
    """INITIALIZE FOR PURCHASE answered; DEBIT FOR PURCHASE may follow."""

    opened: Transaction
    sequence: int
    random: bytes
    keys: Keys


State = Idle | LoadInitialised | PurchaseInitialised


@COMMANDS.command(
    0x80, 0x50, "INITIALIZE FOR LOAD / PURCHASE", p1=(_LOAD, _PURCHASE), p2=_BY_P2, lc=(11,),
    ref=_REF,
)  # fmt: skip
def initialize(domain: Domain, command: Command) -> bytes:
    """Begin a load (P1 = 00) or a purchase (01) of an amount at a terminal.

    Order: 6901 not issued yet, 6985 no account here, 6A81 the other kind of account, 9403 key
    index, 6A81 its algorithm, 6983, 6982 PIN, 6581, 9402, 9401 or (load) 6985 too much.
    """
    files = _files(domain, command.p2)
    data = command.data
    begins = _initialize_load if command.p1 == _LOAD else _initialize_purchase
    kind = (1 if command.p1 == _LOAD else 5) + command.p2 - 1
    opened = Transaction(int.from_bytes(data[1:5], "big"), kind, data[5:], b"")
    return begins(domain, files, data[0], opened)


def _initialize_load(domain: Domain, files: AccountFiles, index: int, opened: Transaction) -> bytes:
    """Answer balance, on-line sequence number, key version, algorithm, random number, MAC1."""
    keys = _keys(domain, KeyType.DLK, index)
    account = _open(domain, files)
    sequence = _usable(account.online_sequence)
    if account.balance_fen + opened.amount_fen > AMOUNT_MAX:
        raise Refusal(SW.CONDITIONS, "the balance would overflow", _REF)
    random = domain.rng.take(4)
    session = purse.load_key(keys.transaction.value, random, sequence)
    _charge(domain)
    domain.session.app = LoadInitialised(opened, sequence, random, keys)
    return (
        _four(account.balance_fen)
        + sequence.to_bytes(2, "big")
        + bytes((keys.transaction.version, keys.transaction.algorithm))
        + random
        + purse.load_mac1(session, account.balance_fen, opened)
    )


def _initialize_purchase(
    domain: Domain, files: AccountFiles, index: int, opened: Transaction
) -> bytes:
    """Answer balance, off-line sequence number, overdraw limit, key version, algorithm, random."""
    keys = _keys(domain, KeyType.DPK, index)
    account = _open(domain, files)
    sequence = _usable(account.offline_sequence)
    if opened.amount_fen > account.balance_fen:
        raise Refusal(SW.INSUFFICIENT_FUNDS, "the balance is less than the amount", _REF)
    random = domain.rng.take(4)
    domain.session.app = PurchaseInitialised(opened, sequence, random, keys)
    return (
        _four(account.balance_fen)
        + sequence.to_bytes(2, "big")
        + _NO_OVERDRAW
        + bytes((keys.transaction.version, keys.transaction.algorithm))
        + random
    )


@COMMANDS.command(0x80, 0x52, "CREDIT FOR LOAD", lc=(11,), ref=_REF)
def credit_for_load(domain: Domain, command: Command) -> bytes:
    """Complete a load: check the host's MAC2, raise balance and counter, answer the TAC.

    Refuses: 6985 INITIALIZE FOR LOAD did not come just before, 9302 wrong MAC2.
    """
    state = _state(domain)
    if not isinstance(state, LoadInitialised):
        raise Refusal(SW.CONDITIONS, "no load was initialised just before", _REF)
    moment, mac2 = command.data[:7], command.data[7:]
    load = state.opened._replace(moment=moment)
    session = purse.load_key(state.keys.transaction.value, state.random, state.sequence)
    _check(domain, state.keys, lambda: purse.load_mac2(session, load), mac2)
    files = AccountFiles(domain)
    account = files.read()
    balance = account.balance_fen + load.amount_fen
    tac = purse.load_tac(state.keys.tac.value, balance, state.sequence, load)
    files.write(account.loaded(load.amount_fen, Proof(load.kind, state.sequence, mac2, tac)))
    _charge(domain)
    return tac


@COMMANDS.command(0x80, 0x54, "DEBIT FOR PURCHASE", p1=(1,), lc=(15,), ref=_REF)
def debit_for_purchase(domain: Domain, command: Command) -> bytes:
    """Complete a purchase: check the PSAM's MAC1, charge, count and log it; answer TAC and MAC2.

    Refuses: 6985 INITIALIZE FOR PURCHASE did not come just before, 9302 wrong MAC1.
    """
    state = _state(domain)
    if not isinstance(state, PurchaseInitialised):
        raise Refusal(SW.CONDITIONS, "no purchase was initialised just before", _REF)
    number = int.from_bytes(command.data[:4], "big")
    debit = state.opened._replace(moment=command.data[4:11])
    session = purse.purchase_key(state.keys.transaction.value, state.random, state.sequence, number)
    _check(domain, state.keys, lambda: purse.purchase_mac1(session, debit), command.data[11:])
    mac2 = purse.purchase_mac2(session, debit.amount_fen)
    tac = purse.purchase_tac(state.keys.tac.value, debit, number)
    files = AccountFiles(domain)
    proof = Proof(debit.kind, state.sequence, mac2, tac)
    account = files.read().debited(debit.amount_fen, proof)
    files.write(account)
    files.log(state.sequence, debit, account)
    _charge(domain)
    return tac + mac2


@COMMANDS.command(0x80, 0x5C, "GET BALANCE", p2=_BY_P2, ref=_REF)
def get_balance(domain: Domain, command: Command) -> bytes:
    """Return the balance; the PIN must be verified."""
    return _four(_open(domain, _files(domain, command.p2)).balance_fen)


@COMMANDS.command(
    0x80, 0x5A, "GET TRANSACTION PROVE", p2=_PROVABLE, lc=(2,), ref="pse-pboc 8; cos 1.3 T4"
)
def get_transaction_prove(domain: Domain, command: Command) -> bytes:
    """Return MAC2 and TAC of the transaction of type P2 and this number, if it is the last; 9406.

    A terminal that lost the answer to CREDIT or DEBIT asks after a reset, so no PIN is needed.
    """
    account = _files(domain, (command.p2 - 1) % 4 + 1).read()
    sequence = int.from_bytes(command.data, "big")
    if (account.last.kind, account.last.sequence) != (command.p2, sequence):
        raise Refusal(SW.MAC_NOT_AVAILABLE, "it was not the last transaction", "pse-pboc 8")
    return account.last.mac2 + account.last.tac


# --- what all share -----------------------------------------------------------------------


def _state(domain: Domain) -> State:
    state: State = domain.session.app or Idle()
    return state


def _files(domain: Domain, account_kind: int) -> AccountFiles:
    """Return the account's files; 6901 before issue, 6985 no account, 6A81 one of another kind."""
    if domain.state != DomainState.OPERATIONAL:
        raise Refusal(SW.NOT_ACCEPTED, "the card is not issued yet", _REF)
    files = AccountFiles(domain)
    if domain.options["medical_account"] != ("deposit", "purse")[account_kind - 1]:
        raise Refusal(SW.NOT_SUPPORTED, "the account is of the other kind", _REF)
    return files


def _keys(domain: Domain, kind: KeyType, index: int) -> Keys:
    """Return the keys of a key index, which is their KID; 9403, 6A81, 6983, 6982."""
    here = domain.directory
    key = domain.keys.find(here, kind, index)
    tac = domain.keys.find(here, KeyType.DTK, index)
    if key is None or tac is None:
        raise Refusal(SW.KEY_INDEX, f"key index {index:02X} is not supported", _REF)
    if {key.algorithm, tac.algorithm} != {Algorithm.TDES}:
        raise Refusal(SW.NOT_SUPPORTED, "account transactions are made with 3DES keys", _REF)
    domain.require_tries(key, "cos 1.3")
    for one in (key, tac):
        domain.require(one.use, "use of the key", _REF)
    return Keys(key, tac)


def _open(domain: Domain, files: AccountFiles) -> Account:
    """Return the account to who has verified the PIN; 6982, 6581."""
    pin = domain.keys.find(environment(domain), KeyType.PIN, 0)
    require_proved(domain, pin, "the account", _REF)
    return files.read()


def _usable(sequence: int) -> int:
    if sequence == SEQUENCE_MAX:
        raise Refusal(SW.COUNTER_LIMIT, "the sequence number is at its maximum", _REF)
    return sequence


def _check(domain: Domain, keys: Keys, mac: Callable[[], bytes], received: bytes) -> None:
    """Compare a MAC; 9302. The try of a key that counts is spent before (cos 1.3 T2)."""
    _charge(domain)
    if not domain.prove(keys.transaction, lambda: domain.crypto.same(mac(), received)):
        raise Refusal(SW.MAC_WRONG, "the MAC of the transaction is wrong", _REF)


def _charge(domain: Domain) -> None:
    """Charge the time of a session key and a MAC (cos 1.1)."""
    domain.crypto.charge(Algorithm.TDES, 8)
    domain.crypto.charge(Algorithm.DES, _MAC_BLOCKS)


def _four(amount_fen: int) -> bytes:
    return amount_fen.to_bytes(4, "big")
