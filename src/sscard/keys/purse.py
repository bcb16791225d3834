"""Account transactions: purse and deposit, the same in PBOC and in the SSSE's DF04.

Session keys, MAC1, MAC2 and TAC (cos 7.4; ssse-lb002 3.10; pse-pboc 8). Amounts are integers
in fen, written in 4 bytes; every MAC is a single-DES CBC-MAC with IV 0, left 4 bytes.
Pure; the card, the PSAM and the bank host use the same functions.
"""

from typing import NamedTuple

from sscard.keys.block import Algorithm, engine
from sscard.keys.mac import des_mac

__all__ = [
    "Transaction",
    "load_key",
    "load_mac1",
    "load_mac2",
    "load_tac",
    "purchase_key",
    "purchase_mac1",
    "purchase_mac2",
    "purchase_tac",
]


class Transaction(NamedTuple):
    """What terminal and card agree to transact.

    Shapes: `amount_fen` 0..2^32-1; `kind` the transaction type byte (05 deposit, 06 purse,
    01/02 loads); `terminal` 6 bytes; `moment` 7 bytes, YYYYMMDDhhmmss in BCD.
    """

    amount_fen: int
    kind: int
    terminal: bytes
    moment: bytes

    @property
    def opening(self) -> bytes:
        """Amount, type and terminal: 11 bytes."""
        if len(self.terminal) != 6:
            raise ValueError(f"a terminal number has 6 bytes, not {len(self.terminal)}")
        return _four(self.amount_fen) + bytes((self.kind,)) + self.terminal

    @property
    def closing(self) -> bytes:
        """Date and time: 7 bytes."""
        if len(self.moment) != 7:
            raise ValueError(f"date and time are 7 bytes of BCD, not {len(self.moment)}")
        return self.moment


def purchase_key(dpk: bytes, random: bytes, sequence: int, terminal_sequence: int) -> bytes:
    """E3(DPK, random4 || sequence2 || low 2 bytes of the terminal's transaction number).

    `dpk` 16 bytes; the result is an 8-byte DES key. Source: cos 7.4; ssse-lb002 3.10.
    """
    return _session(dpk, random, sequence, terminal_sequence & 0xFFFF)


def load_key(dlk: bytes, random: bytes, sequence: int) -> bytes:
    """E3(DLK, random4 || sequence2 || 8000); an 8-byte DES key. Source: pse-pboc 8."""
    return _session(dlk, random, sequence, 0x8000)


def purchase_mac1(session_key: bytes, transaction: Transaction) -> bytes:
    """Terminal's MAC1 over amount, type, terminal, date, time. Source: cos 7.4."""
    return des_mac(session_key, transaction.opening + transaction.closing)[:4]


def purchase_mac2(session_key: bytes, amount_fen: int) -> bytes:
    """Card's MAC2 over the amount. Source: cos 7.4."""
    return des_mac(session_key, _four(amount_fen))[:4]


def purchase_tac(dtk: bytes, transaction: Transaction, terminal_sequence: int) -> bytes:
    """TAC over amount, type, terminal, terminal transaction number, date, time.

    `dtk` 16 bytes; the key is the XOR of its halves. Source: cos 7.4; ssse-lb002 3.10.
    """
    data = transaction.opening + _four(terminal_sequence) + transaction.closing
    return des_mac(_tac_key(dtk), data)[:4]


def load_mac1(session_key: bytes, balance_fen: int, transaction: Transaction) -> bytes:
    """Card's MAC1 of a load, over the old balance, amount, type, terminal. pse-pboc 8."""
    return des_mac(session_key, _four(balance_fen) + transaction.opening)[:4]


def load_mac2(session_key: bytes, transaction: Transaction) -> bytes:
    """Host's MAC2 of a load, over amount, type, terminal, date, time. pse-pboc 8."""
    return des_mac(session_key, transaction.opening + transaction.closing)[:4]


def load_tac(dtk: bytes, balance_fen: int, sequence: int, transaction: Transaction) -> bytes:
    """TAC of a load, over new balance, sequence, amount, type, terminal, date, time. pse-pboc 8.

    `sequence` is the on-line sequence number the load's MACs used.
    """
    head = _four(balance_fen) + sequence.to_bytes(2, "big")
    return des_mac(_tac_key(dtk), head + transaction.opening + transaction.closing)[:4]


def _session(key: bytes, random: bytes, sequence: int, tail: int) -> bytes:
    if len(random) != 4:
        raise ValueError(f"the card's random number has 4 bytes, not {len(random)}")
    block = random + sequence.to_bytes(2, "big") + tail.to_bytes(2, "big")
    return engine(Algorithm.TDES, key).encrypt(block)


def _tac_key(dtk: bytes) -> bytes:
    if len(dtk) != 16:
        raise ValueError(f"a TAC key has 16 bytes, not {len(dtk)}")
    left = int.from_bytes(dtk[:8], "big")
    return (left ^ int.from_bytes(dtk[8:], "big")).to_bytes(8, "big")


def _four(amount: int) -> bytes:
    return amount.to_bytes(4, "big")
