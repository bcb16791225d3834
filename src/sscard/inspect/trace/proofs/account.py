"""Proofs of the medical account: MAC1, MAC2 and TAC of loads and debits (ssse-lb002 3.10)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.follow import Step
from sscard.inspect.trace.proofs.facts import Facts
from sscard.inspect.trace.proofs.verdict import unverified, verdict
from sscard.keys.purse import Transaction
from sscard.keys.vault import BaseVault, CardIdentity, KeyRef, VaultError

__all__ = ["AccountProofs"]

_INITIALIZE, _CREDIT, _DEBIT = 0x50, 0x52, 0x54
_LOAD = 0x00
_LOAD_KIND = 0x01
_DEBIT_KINDS = {0x01: 0x05, 0x02: 0x06}
"""Type byte of a purchase by P2: deposit, purse."""
_INITIALIZE_DATA, _LOAD_ANSWER, _DEBIT_ANSWER = 11, 16, 15


@dataclass(slots=True)
class _Begun:
    """What INITIALIZE has agreed: amounts in fen, the key's factor up to the terminal's part."""

    load: bool
    amount: int
    kind: int
    terminal: bytes
    balance: int
    sequence: int
    factor: bytes

    def at(self, moment: bytes) -> Transaction:
        """The transaction, once date and time are known."""
        return Transaction(self.amount, self.kind, self.terminal, moment)


class AccountProofs:
    """Verifies with a vault of the social side, None when none was given."""

    def __init__(self, vault: BaseVault | None, facts: Facts) -> None:
        self._vault = vault
        self._facts = facts
        self._begun: _Begun | None = None

    def see(self, step: Step) -> Iterator[Explanation]:
        """Yield how what a step proves turned out."""
        asked = step.answers
        if asked is None or asked.cla != 0x80 or not step.done or not step.whole:
            return
        if asked.ins == _INITIALIZE and step.data:
            yield from self._initialize(step)
        elif asked.ins == _CREDIT and len(asked.data) == 11 and step.data:
            yield from self._credit(asked.data, step.data)
        elif asked.ins == _DEBIT and len(asked.data) == 15 and step.data:
            yield from self._debit(asked.data, step.data)

    def _initialize(self, step: Step) -> Iterator[Explanation]:
        asked, told = step.answers, step.data
        assert asked is not None, "see() looked"
        load = asked.p1 == _LOAD
        kind = _LOAD_KIND if load else _DEBIT_KINDS.get(asked.p2)
        wanted = _LOAD_ANSWER if load else _DEBIT_ANSWER
        if kind is None or len(asked.data) != _INITIALIZE_DATA or len(told) < wanted - 4 * load:
            self._begun = None
            return
        random_at = 8 if load else 11
        self._begun = _Begun(
            load,
            int.from_bytes(asked.data[1:5]),
            kind,
            asked.data[5:],
            int.from_bytes(told[:4]),
            int.from_bytes(told[4:6]),
            told[random_at : random_at + 4] + told[4:6],
        )
        if load:
            begun, mac1 = self._begun, told[12:16]
            message = told[:4] + begun.at(bytes(7)).opening
            yield self._check(
                "MAC1",
                "DLK@DF04",
                mac1,
                lambda vault, key: vault.session_mac(key, begun.factor + b"\x80\x00", message),
            )

    def _credit(self, sent: bytes, told: bytes) -> Iterator[Explanation]:
        begun, self._begun = self._begun, None
        if begun is None or not begun.load:
            yield unverified("MAC2", "its INITIALIZE FOR LOAD is not in the trace")
            return
        made = begun.at(sent[:7])
        yield self._check(
            "MAC2",
            "DLK@DF04",
            sent[7:],
            lambda vault, key: vault.session_mac(
                key, begun.factor + b"\x80\x00", made.opening + made.closing
            ),
        )
        balance = begun.balance + begun.amount
        yield self._check(
            "TAC",
            "DTK@DF04",
            told,
            lambda vault, key: vault.load_tac(key, balance, begun.sequence, made),
        )

    def _debit(self, sent: bytes, told: bytes) -> Iterator[Explanation]:
        begun, self._begun = self._begun, None
        if begun is None or begun.load:
            yield unverified("MAC1", "its INITIALIZE FOR PURCHASE is not in the trace")
            return
        number, made = sent[:4], begun.at(sent[4:11])
        factor = begun.factor + number[2:]
        yield self._check(
            "MAC1",
            "DPK@DF04",
            sent[11:],
            lambda vault, key: vault.session_mac(key, factor, made.opening + made.closing),
        )
        yield self._check(
            "TAC",
            "DTK@DF04",
            told[:4],
            lambda vault, key: vault.purchase_tac(key, made, int.from_bytes(number)),
        )
        yield self._check(
            "MAC2",
            "DPK@DF04",
            told[4:],
            lambda vault, key: vault.session_mac(key, factor, made.opening[:4]),
        )

    def _check(
        self, what: str, name: str, seen: bytes, compute: Callable[[BaseVault, KeyRef], bytes]
    ) -> Explanation:
        vault = self._vault
        if vault is None:
            return unverified(what, "no keys of the social side were given")
        try:
            key = CardIdentity(self._facts.region, self._facts.csn8).ref(vault.info(name))
            return verdict(what, name, right=compute(vault, key) == seen)
        except VaultError as error:
            return unverified(what, str(error))
        except ValueError:
            return unverified(what, "the trace does not tell the card's region and serial")
